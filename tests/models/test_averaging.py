"""Averaged weights."""

from __future__ import annotations

import torch

from models.averaging import average_weights


def test_the_first_weights_are_soon_forgotten() -> None:
    averaged = torch.zeros(3)
    average_weights(averaged, torch.ones(3), steps=1)
    torch.testing.assert_close(averaged, torch.full((3,), 10 / 11))


def test_later_the_memory_is_a_thousand_steps_long() -> None:
    averaged = torch.zeros(3)
    average_weights(averaged, torch.ones(3), steps=10**6)
    torch.testing.assert_close(averaged, torch.full((3,), 1e-3))
