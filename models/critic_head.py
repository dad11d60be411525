"""How critics of images end: features to a number an image, or one a patch, with or without comparing events."""

# Axes: B events, C channels, H × W places.
from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.layers import MinibatchDiscrimination

MINIBATCH_WIDTH = 8  # numbers by which a kernel of minibatch discrimination compares two events


class CriticHead(nn.Module):
    """Features (B, C, H, W) to outputs without activation.

    Args:
        channels, places: C and H · W.
        kernels: Of minibatch discrimination; 0 for none.
        patches: Makes the convolution that gives an output a patch from its input channels; None for one output an
            image.
    """

    def __init__(
        self, channels: int, places: int, kernels: int, patches: Callable[[int], nn.Conv2d] | None = None
    ) -> None:
        super().__init__()
        features = channels * places
        self.comparison = MinibatchDiscrimination(features, kernels, MINIBATCH_WIDTH) if kernels else None
        self.patches = patches is not None
        self.output = nn.Linear(features + kernels, 1) if patches is None else patches(channels + kernels)

    def forward(self, features: Tensor) -> Tensor:
        """Outputs (B, 1), or (B, 1, rows, columns) of patches."""
        flat = features.flatten(1)
        if self.comparison is not None:
            compared = self.comparison(flat)
            nearness = compared[:, flat.shape[1] :, None, None].expand(-1, -1, *features.shape[2:])
            flat, features = compared, torch.cat((features, nearness), dim=1)
        output: Tensor = self.output(features if self.patches else flat)
        return output
