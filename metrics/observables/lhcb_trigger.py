"""The hadronic trigger of LHCb: does a window of 2 × 2 cells exceed the threshold, and is a signal particle near it?"""

# Axes: N events, T tracks, P thresholds.
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.events import Events, InvalidEvents
from data_adapters.layouts.lhcb_events import SIGNAL
from data_adapters.layouts.lhcb_geometry import INNER, OUTER_SHAPE, SHAPE, split_images, track_image
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.lhcb_image import THESIS, is_lhcb_face
from metrics.observables.sample import Sample

SOURCE = f"{THESIS}, section 5.1.1"
THRESHOLD_MEV = 3200.0
# From 6.25 MeV, so that the softest tracks exceed some, to four times the threshold; the last edge closes the last bin
# of a plot.
THRESHOLDS_MEV = tuple(THRESHOLD_MEV * 2 ** (step / 2) for step in range(-18, 5))
EDGES = (*THRESHOLDS_MEV, THRESHOLD_MEV * 2**2.5)
SQUARE_CELLS = 7  # side of the square around a signal particle, in cells of the image
MARKED = (1, 2)  # kaon and pions; the muon is no matter of a hadronic trigger
TRACKS = "tracks"

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
Largest = Callable[[Sample], Floats]


def largest_window(sample: Sample) -> Floats:
    """Transverse energy of the largest window of 2 × 2 cells [MeV], shape (N,)."""
    return sample.once("largest window", lambda: np.maximum(*(_largest(part) for part in _windows(sample))))


def largest_signal_window(sample: Sample) -> Floats:
    """Of the windows that overlap a square around a signal particle; 0 where none does; shape (N,).

    Raises: InvalidEvents for events that do not say which tracks are signal.
    """
    return _by_signal(sample)[:, 0]


def largest_other_window(sample: Sample) -> Floats:
    """Of the windows that overlap no square around a signal particle, shape (N,); see ``largest_signal_window``."""
    return _by_signal(sample)[:, 1]


def _by_signal(sample: Sample) -> Floats:
    return sample.once("windows by signal", lambda: _largest_by_signal(sample))


def _largest_by_signal(sample: Sample) -> Floats:
    near_signal = _window_any(signal_squares(sample.events))
    pairs = tuple(zip(_windows(sample), near_signal, strict=True))
    return np.stack(
        [
            np.maximum(*(_largest(np.where(near, part, 0)) for part, near in pairs)),
            np.maximum(*(_largest(np.where(near, 0, part)) for part, near in pairs)),
        ],
        axis=1,
    )


def _windows(sample: Sample) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sums of 2 × 2 cells of the inner part and of the outer part; no window lies in both."""
    inner, outer = split_images(sample.response.reshape(-1, *SHAPE))
    return _in_windows(inner, np.add), _in_windows(outer, np.add)


def _in_windows(cells: NDArray[Any], combine: np.ufunc) -> NDArray[Any]:
    """The cells of each window of 2 × 2 combined, shape (N, rows − 1, columns − 1)."""
    rows = combine(cells[:, :-1], cells[:, 1:])
    return np.asarray(combine(rows[:, :, :-1], rows[:, :, 1:]))


def _largest(windows: NDArray[np.float32]) -> Floats:
    return np.asarray(windows.max(axis=(1, 2)), dtype=np.float64)


def signal_squares(events: Events) -> Masks:
    """Which cells of the image lie in the square around a kaon or pion of the signal, shape (N, 52, 64).

    Raises: InvalidEvents for events that do not say which tracks are signal.
    """
    if SIGNAL not in events.auxiliary:
        raise InvalidEvents(
            f"these events have no column {SIGNAL}, which says which tracks are of the signal; HTOS and HTIS need it: "
            f"give a file with the branch {SIGNAL}, or take htos, htis and their thresholds off the scorecard"
        )
    tracks = events.conditions[TRACKS].copy()
    tracks[..., 2] = np.isin(events.auxiliary[SIGNAL], MARKED)
    marked = track_image(tracks) > 0
    return _widened(_widened(marked, 1), 2)


def _widened(mask: Masks, axis: int) -> Masks:
    """Cells within three of a marked one along an axis."""
    reach = SQUARE_CELLS // 2
    pad = [(reach, reach) if index == axis else (0, 0) for index in range(mask.ndim)]
    return np.asarray(np.lib.stride_tricks.sliding_window_view(np.pad(mask, pad), SQUARE_CELLS, axis).any(axis=-1))


def _window_any(mask: Masks) -> tuple[Masks, Masks]:
    """Which windows of the inner and the outer part overlap marked cells of the image."""
    outer = np.asarray(mask.reshape(len(mask), OUTER_SHAPE[0], 2, OUTER_SHAPE[1], 2).any(axis=(2, 4)))
    return _in_windows(mask[INNER], np.logical_or), _in_windows(outer, np.logical_or)


def _rates(name: str, words: str, largest: Largest) -> tuple[Observable, Observable]:
    """Whether an event triggers at 3.2 GeV, and at each threshold."""

    def triggers(sample: Sample) -> Floats:
        return np.asarray(largest(sample) > THRESHOLD_MEV, dtype=np.float64)

    def triggers_at(sample: Sample) -> Floats:
        return np.asarray(largest(sample)[:, None] > np.array(THRESHOLDS_MEV), dtype=np.float64)

    return (
        Observable(name, f"{words} at 3.2 GeV", "1", SOURCE, triggers),
        Observable(
            name=f"{name}_thresholds",
            title=f"{words} against the threshold",
            unit="1",
            source=f"{SOURCE}; other thresholds are our choice",
            function=triggers_at,
            edges=EDGES,
            edges_unit="MeV",
            x_label="threshold",
            y_label="Fraction of events",
        ),
    )


TRIGGER = _rates("trigger", "Triggered", largest_window)
BY_SIGNAL = (
    *_rates("htos", "Triggered on signal", largest_signal_window),
    *_rates("htis", "Triggered independent of signal", largest_other_window),
)


def _of(detector: Detector) -> tuple[Observable, ...]:
    if not is_lhcb_face(detector):
        return ()
    full_events = any(condition.name == TRACKS for condition in detector.conditions)
    return (*TRIGGER, *BY_SIGNAL) if full_events else TRIGGER


LHCB_TRIGGER = Family(
    name="lhcb_trigger",
    title="Hadronic trigger, on signal (HTOS) and independent of it (HTIS) (LHCb)",
    definition=(
        "1 for an event with a window of 2 × 2 cells of one part of the calorimeter above 3.2 GeV (outer cells are "
        "four of the image), else 0, so that means are rates, in condition bins against the energy; HTOS: such a "
        "window overlaps the square of 7 × 7 cells of the image around a kaon or pion of the signal; HTIS: such a "
        "window overlaps none; both can be. Also at thresholds from 6.25 MeV to 12.8 GeV. Single tracks have the "
        "trigger alone"
    ),
    unit="1",
    detectors="face of the LHCb calorimeter; HTOS and HTIS: tracks among the conditions",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=_of,
)
