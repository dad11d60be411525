"""Distances of points to helices, as the records hold them; nothing for a detector without tracks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from data_adapters.events import Events
from leaderboard.records import JsonObject
from metrics.helix_report import PUBLISHED_MSE, helix_report
from metrics.observables.helix_residual import is_alice_track


def helix_record(samples: Mapping[str, Iterable[Events]]) -> JsonObject:
    """Reports by role (generated, reference, …), with the published figures; every sample in parts that fit."""
    return {
        "samples": {role: helix_report(blocks).to_json() for role, blocks in samples.items()},
        "published_mse": PUBLISHED_MSE,
    }


def helix_record_of(samples: Mapping[str, Events | None]) -> JsonObject | None:
    """The same of samples in memory, without those that are not there; None for a detector without tracks."""
    found = {role: events for role, events in samples.items() if events is not None}
    if not all(is_alice_track(events.detector) for events in found.values()):
        return None
    return helix_record({role: [events] for role, events in found.items()})
