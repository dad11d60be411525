"""Distances of points to helices, in the units in which they were published and in true millimetres."""

# Axes: N tracks.
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events, InvalidEvents
from metrics.observables.helix_fit import fit_helices
from metrics.observables.helix_residual import is_alice_track, is_there, points_of
from metrics.observables.sample import Sample

Floats = NDArray[np.float64]

CHAMBER_MM = 5000.0  # coordinates of the paper are fractions of the chamber, about 5 m in each direction
PUBLISHED_FACTOR = 500.0  # the paper's column "MSE (mm)" is its MSE times this: 5 m in cm; that is no length
# Mean squared distances, table 1 of the paper (its Geant3 has other geometry and errors than any sample here).
PUBLISHED_MSE = {
    "GEANT3": 0.00017,
    "random": 0.33,
    "GAN-MLP": 0.11077,
    "GAN-LSTM": 0.10879,
    "VAE": 0.07483,
    "DCGAN": 0.05236,
    "cVAE": 0.02666,
    "proGAN": 0.00176,
}


@dataclass(frozen=True)
class HelixReport:
    """Of a sample of tracks.

    Attributes:
        mse_scaled: Squared distance of points to the helix, mean over a track, then over tracks; coordinates as
            fractions of 5 m.
        mse_scaled_bending_plane: The same with distances to the circle, in the bending plane alone.
        published_column: ``mse_scaled`` × 500, to compare with the column "MSE (mm)" of the paper; no length.
        rms_mm: Square root of the same mean in true millimetres.
        tracks: That have a helix, and are counted.
        tracks_without_helix: With fewer than four points.
    """

    mse_scaled: float
    mse_scaled_bending_plane: float
    published_column: float
    rms_mm: float
    tracks: int
    tracks_without_helix: int

    def to_json(self) -> dict[str, float | int]:
        return asdict(self)


def helix_report(blocks: Iterable[Events]) -> HelixReport:
    """The report on reference or generated tracks; 0 everywhere if none has a helix.

    Reported, not scored: 0 is not perfect.

    Args:
        blocks: All tracks, in parts that fit into memory.
    Raises: InvalidEvents for events that are no tracks of the chamber.
    """
    parts = [_mean_squares(events) for events in blocks]
    circle, helix = (np.concatenate([part[kind] for part in parts]) if parts else np.empty(0) for kind in (0, 1))
    counted = ~np.isnan(helix)
    mse = _mean(helix[counted])
    return HelixReport(
        mse_scaled=mse / CHAMBER_MM**2,
        mse_scaled_bending_plane=_mean(circle[counted]) / CHAMBER_MM**2,
        published_column=PUBLISHED_FACTOR * mse / CHAMBER_MM**2,
        rms_mm=float(np.sqrt(mse)),
        tracks=int(counted.sum()),
        tracks_without_helix=int((~counted).sum()),
    )


def _mean_squares(events: Events) -> tuple[Floats, Floats]:
    """Mean squared distances of points to circle and helix [mm²], shape (N,) each; NaN for a track without a helix."""
    if not is_alice_track(events.detector):
        raise InvalidEvents(
            f"{events.detector.name} holds {events.detector.quantity}; helices are fitted to tracks of 159 points of "
            "x, y, z in mm (alice-tracks): give such events"
        )
    sample = Sample(events)
    there = is_there(sample)
    helices = fit_helices(points_of(sample), there)
    num = np.where(helices.fitted, there.sum(axis=1), np.nan)
    return (helices.transverse**2).sum(axis=1) / num, (helices.distance**2).sum(axis=1) / num


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0
