"""Distances of points to helices, in the units in which they were published and in true millimetres."""

# Axes: N tracks.
from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from data_adapters.events import Events, InvalidEvents
from metrics.observables.helix_fit import fit_helices
from metrics.observables.helix_residual import is_alice_track, is_there, points_of
from metrics.observables.sample import Sample

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


def helix_report(events: Events) -> HelixReport:
    """The report on reference or generated tracks; 0 everywhere if none has a helix.

    Reported, not scored: 0 is not perfect.

    Raises: InvalidEvents for events that are no tracks of the chamber.
    """
    if not is_alice_track(events.detector):
        raise InvalidEvents(
            f"{events.detector.name} holds {events.detector.quantity}; helices are fitted to tracks of 159 points of "
            "x, y, z in mm (alice-tracks): give such events"
        )
    sample = Sample(events)
    there = is_there(sample)
    helices = fit_helices(points_of(sample), there)
    num = there.sum(axis=1)[helices.fitted]
    circle = _mean((helices.transverse[helices.fitted] ** 2).sum(axis=1) / num)
    helix = _mean((helices.distance[helices.fitted] ** 2).sum(axis=1) / num)
    return HelixReport(
        mse_scaled=helix / CHAMBER_MM**2,
        mse_scaled_bending_plane=circle / CHAMBER_MM**2,
        published_column=PUBLISHED_FACTOR * helix / CHAMBER_MM**2,
        rms_mm=float(np.sqrt(helix)),
        tracks=len(num),
        tracks_without_helix=len(events) - len(num),
    )


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(values.mean()) if len(values) else 0.0
