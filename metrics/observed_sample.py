"""A sample whose observables were computed once, block by block, for everything that looks at them."""

# Axes: N events, n events of a block, P positions of a profile, E condition bins, V cells.
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.events import Events
from data_adapters.registry import UnknownName
from metrics.condition_cells import ConditionCells
from metrics.observables import observe
from metrics.paired_sample import PairedSample
from metrics.whole_sample.cells import response_unit

Floats = NDArray[np.float64]
Blocks = Iterable[tuple[NDArray[np.intp], Events]]


@dataclass(frozen=True)
class ObservedSample:
    """Events at the conditions of a reference, by what was observed of them; their responses stay where they are.

    Attributes:
        events: Where they are.
        values: Observables by name, each of shape (N,) or (N, P).
        mean_showers: Mean response over incident energy in each condition bin, shape (E, V); empty, shape (0, V), where
            no bins were given.
    """

    events: PairedSample
    values: Mapping[str, Floats]
    mean_showers: Floats

    def __len__(self) -> int:
        return len(self.events.reference)

    @property
    def detector(self) -> Detector:
        return self.events.reference.detector

    @property
    def conditions(self) -> Mapping[str, Floats]:
        return self.events.reference.conditions

    @property
    def identity(self) -> NDArray[np.uint64]:
        return self.events.reference.identity

    def observe(self, names: Iterable[str]) -> dict[str, Floats]:
        """Some of the observables.

        Raises: UnknownName for one that was not observed.
        """
        wanted = list(names)
        for name in wanted:
            if name not in self.values:
                raise UnknownName(f"observed quantity of {self.detector.name}", name, self.values)
        return {name: self.values[name] for name in wanted}


def observe_sample(
    sample: PairedSample,
    names: Iterable[str],
    cells: ConditionCells | None = None,
    through: Callable[[Blocks], Blocks] = iter,
) -> ObservedSample:
    """Read a sample once; in memory lies one block of responses at a time.

    Args:
        names: Observables.
        cells: Condition bins of the reference, for the mean showers; without, there are none.
        through: What the blocks are led through, for a progress bar.
    Raises: UnknownName for an observable that the detector does not have; UnreadableFile or InvalidEvents for a
        response that cannot be.
    """
    wanted = list(dict.fromkeys(names))
    values: dict[str, Floats] = {}
    showers = np.zeros((0 if cells is None else len(cells.values), sample.reference.detector.num_cells))
    for which, events in through(sample.blocks()):
        for name, found in observe(events, wanted).items():
            if name not in values:
                values[name] = np.empty((len(sample), *found.shape[1:]), dtype=found.dtype)
            values[name][which] = found
        if cells is not None:
            _add_showers(showers, events, cells.number[which])
    return ObservedSample(sample, values, showers if cells is None else showers / _events_in_bins(cells)[:, None])


def _add_showers(showers: Floats, events: Events, number: NDArray[np.intp]) -> None:
    """Add response over incident energy to the sum of the condition bin of each event, −1 for none."""
    unit = response_unit(events)[:, None]
    for index in np.unique(number[number >= 0]):
        inside = number == index
        showers[index] += (events.response[inside] / unit[inside]).sum(axis=0)


def _events_in_bins(cells: ConditionCells) -> Floats:
    """Shape (E,); 1 for a bin without events, which no scorecard accepts."""
    inside = cells.number[cells.number >= 0]
    return np.maximum(np.bincount(inside, minlength=len(cells.values)), 1.0)
