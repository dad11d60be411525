"""Everything that is wrong with a sample, at once."""

# Axes: N events, n events of a block, V cells.
from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from data_adapters.adapters import open_events
from data_adapters.detector import ENERGY_UNITS, Condition
from data_adapters.formats.registry import open_arrays
from data_adapters.inspection import COORDINATE, blocks, response_over_energy
from data_adapters.problems import Problem, UnreadableFile, collected_values
from data_adapters.source import EventSource
from data_adapters.splits import FRACTIONS, split_of

# Summed response over incident energy. Sampling calorimeters show at least some thousandths of the energy, and no
# calorimeter shows several times the energy, also where it is corrected for what was not sampled (CaloChallenge: 3.1).
LOWEST_RATIO, HIGHEST_RATIO = 2e-3, 5.0
# Incident energies [MeV] of detectors at accelerators: others are probably in another unit.
LOWEST_ENERGY, HIGHEST_ENERGY = 10.0, 1e8
ACCELERATOR_UNITS = ("MeV", "GeV", "TeV")
DIGEST_BYTES = 16
SCANNED_EVENTS = 1000

Floats = NDArray[np.float64]
Response = NDArray[np.float32]


@dataclass
class Report:
    """What was found.

    Attributes:
        problems: What must be mended.
        warnings: What may be right, and is worth a look.
    """

    path: Path
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    summary: str = ""

    @property
    def fine(self) -> bool:
        return not self.problems


def validate(
    path: Path,
    console: Console,
    layout: str | None = None,
    options: Mapping[str, object] | None = None,
    *,
    trained_with: bool = True,
) -> Report:
    """Look at all events of a file.

    Args:
        layout, options: As in ``open_events``.
        trained_with: Whether it must have events for every split; a twin need not.
    Raises: UnknownName, InvalidOption; nothing that is wrong with the file is raised.
    """
    report = Report(path)
    try:
        with collected_values() as report.problems:
            source = open_events(path, layout, options)
    except UnreadableFile as error:
        report.problems += error.problems
        _scan_arrays(path, report, console)
        return report
    if report.fine:
        _check_conditions(source, report)
    if trained_with:
        _check_splits(source, report)
    pass_over = _Pass(source)
    try:
        for start, stop in blocks(source, console, "checking"):
            pass_over.add(start, source.read_response(start, stop))
    except UnreadableFile as error:
        report.problems += error.problems
        return report
    pass_over.judge(report)
    if report.fine:
        report.summary = f"{len(source)} events of {source.detector.name}, {source.detector.num_cells} cells"
    return report


class _Pass:
    """What is remembered of the responses, in one pass."""

    def __init__(self, source: EventSource) -> None:
        self.source = source
        self.totals: list[Floats] = []
        self.empty: list[NDArray[np.bool_]] = []
        self.digests = np.zeros((len(source), DIGEST_BYTES), dtype=np.uint8)
        self.first: dict[str, tuple[int, int, float]] = {}
        self.events: dict[str, int] = {}
        self._conditions = np.concatenate(
            [np.zeros((len(source), 0)), *(values.reshape(len(source), -1) for values in source.conditions.values())],
            axis=1,
        )

    def add(self, start: int, response: Response) -> None:
        self._count("not a number", start, response, np.isnan(response))
        self._count("infinite", start, response, np.isinf(response))
        if not self.source.detector.signed:
            self._count("negative", start, response, response < 0)
        self.empty.append(np.asarray(~response.any(axis=1)))
        self.totals.append(np.where(np.isfinite(response), response, np.float32(0)).sum(axis=1, dtype=np.float64))
        for number, row in enumerate(np.ascontiguousarray(response)):
            if not self.empty[-1][number]:
                told = self._conditions[start + number].tobytes()
                digest = hashlib.blake2b(told + row.tobytes(), digest_size=DIGEST_BYTES).digest()
                self.digests[start + number] = np.frombuffer(digest, np.uint8)

    def judge(self, report: Report) -> None:
        source, key, number = self.source, self.source.response_key, len(self.source)
        for what, (event, cell, value) in self.first.items():
            report.problems.append(
                Problem(
                    f"cell {cell} is {what} ({value:g} {source.detector.unit}), the first of {self.events[what]} of "
                    f"{number} events",
                    "Remove these events from the file, or simulate them again",
                    key,
                    event,
                )
            )
        totals, empty = np.concatenate(self.totals), np.concatenate(self.empty)
        _check_empty(report, key, empty)
        self._check_duplicates(report)
        _check_ratio(source, totals, ~empty & (totals > 0), report)

    def _count(self, what: str, start: int, response: Response, wrong: NDArray[np.bool_]) -> None:
        events = wrong.any(axis=1)
        if not events.any():
            return
        if what not in self.first:
            event, cell = np.argwhere(wrong)[0]
            self.first[what] = (start + int(event), int(cell), float(response[event, cell]))
        self.events[what] = self.events.get(what, 0) + int(events.sum())

    def _check_duplicates(self, report: Report) -> None:
        filled = np.flatnonzero(self.digests.any(axis=1))
        digests = np.ascontiguousarray(self.digests[filled]).view(f"V{DIGEST_BYTES}").ravel()
        _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
        again = np.flatnonzero(filled[first[inverse]] != filled)
        if len(again) == 0:
            return
        copy = int(filled[again[0]])
        original = int(filled[first[inverse[again[0]]]])
        report.problems.append(
            Problem(
                f"it is the same as event {original}, in conditions and response: the first of {len(again)} copies",
                "Remove the copies: they would lie in training and test at once",
                self.source.response_key,
                copy,
            )
        )


def _check_empty(report: Report, key: str, empty: NDArray[np.bool_]) -> None:
    number = int(empty.sum())
    if number == len(empty):
        report.problems.append(Problem("all cells of all events are 0", "Give a file with showers", key))
    elif number:
        what = f"it is empty (all cells are 0), the first of {number} of {len(empty)} events"
        report.warnings.append(Problem(what, "Is the detector missed so often?", key, int(np.flatnonzero(empty)[0])))


def _check_ratio(source: EventSource, totals: Floats, filled: NDArray[np.bool_], report: Report) -> None:
    """Summed response over energy: a wrong unit moves it by a factor of 1000."""
    detector, energy = source.detector, source.detector.energy_condition
    ratio = response_over_energy(source, totals)
    if ratio is None or energy is None or detector.unit not in ENERGY_UNITS:
        return
    filled &= source.conditions[energy.name] > 0
    if not filled.any():
        return
    median = float(np.median(ratio[filled]))
    key = source.response_key
    if LOWEST_RATIO <= median <= HIGHEST_RATIO:
        _check_single_ratios(report, key, ratio)
        return
    if median < LOWEST_RATIO:
        looks = f"the response may be in a larger unit (GeV declared as MeV), or {energy.name} in a smaller one"
    else:
        looks = f"the response may be in a smaller unit (MeV declared as GeV), or {energy.name} in a larger one"
    event = int(np.flatnonzero(filled)[0])
    report.problems.append(
        Problem(
            f"the summed response is {median:.3g} times {energy.name} in the median "
            f"({totals[event]:.4g} {detector.unit} at {source.conditions[energy.name][event]:.4g} {energy.unit} here): "
            f"{looks}",
            "Mend the units in the description, or the values in the file",
            key,
            event,
        )
    )


def _check_single_ratios(report: Report, key: str, ratio: Floats) -> None:
    wrong = np.flatnonzero(ratio > HIGHEST_RATIO)
    if len(wrong):
        what = (
            f"the summed response is {ratio[wrong[0]]:.3g} times the incident energy, the first of {len(wrong)} of "
            f"{len(ratio)} events above {HIGHEST_RATIO:g}"
        )
        report.problems.append(Problem(what, "No detector shows so much: remove these events", key, int(wrong[0])))


def _check_conditions(source: EventSource, report: Report) -> None:
    for condition in source.detector.conditions:
        values = source.conditions[condition.name]
        if condition.categories is not None:
            _check_categories(report, condition, values)
        elif condition.energy and source.detector.quantity != COORDINATE:
            _check_energies(report, condition, values)
        elif condition.unit == "rad" and np.abs(values).max() > 2 * math.pi + 0.01:
            _first_beyond(report, condition, values, 2 * math.pi + 0.01)
    if not any(condition.bins for condition in source.detector.conditions):
        report.warnings.append(
            Problem(
                "no condition has bins, so that metrics cannot be computed in them", "Write bins = true in its table"
            )
        )


def _first_beyond(report: Report, condition: Condition, values: Floats, limit: float) -> None:
    event = tuple(np.argwhere(np.abs(values) > limit)[0])
    what = f"it is {values[event]:.6g} rad; angles are at most 2 π: it looks like degrees"
    report.problems.append(Problem(what, 'Write: unit = "deg", or convert it', condition.name, int(event[0])))


def _check_categories(report: Report, condition: Condition, values: Floats) -> None:
    number = condition.categories or 0
    wrong = np.flatnonzero((values != np.round(values)) | (values < 0) | (values > number - 1))
    if len(wrong):
        what = f"it is {values[wrong[0]]:g}; categories are 0 … {number - 1}; the first of {len(wrong)} events"
        report.problems.append(Problem(what, "Number the categories from 0 up", condition.name, int(wrong[0])))


def _check_energies(report: Report, condition: Condition, values: Floats) -> None:
    """Limits that no detector at an accelerator passes; cosmic rays are declared in other units."""
    wrong = np.flatnonzero(values <= 0)
    if len(wrong):
        what = f"it is {values[wrong[0]]:g} {condition.unit}, the first of {len(wrong)} events that are not positive"
        report.problems.append(Problem(what, "Remove these events", condition.name, int(wrong[0])))
    if condition.unit not in ACCELERATOR_UNITS:
        return
    low, high = (float(value) * ENERGY_UNITS[condition.unit] for value in (values.min(), values.max()))
    if high < LOWEST_ENERGY or low > HIGHEST_ENERGY:
        what = f"its values are {values.min():.4g} … {values.max():.4g} {condition.unit}"
        looks = "are they GeV declared as MeV?" if high < LOWEST_ENERGY else "are they MeV declared as GeV?"
        report.problems.append(Problem(what, f"Mend the unit: {looks}", condition.name))


def _check_splits(source: EventSource, report: Report) -> None:
    split = split_of(source.identity)
    for name in FRACTIONS:
        if not (split == name).any():
            what = f"none of its {len(source)} events falls into the {name} split"
            report.warnings.append(Problem(what, "Give more events before you train with it"))


def _scan_arrays(path: Path, report: Report, console: Console) -> None:
    """Numbers that are not finite, in any array of a file that could not be opened as events."""
    named = {problem.key for problem in report.problems}
    try:
        arrays = open_arrays(path)
        keys = [key for key in arrays.keys() if key not in named]  # noqa: SIM118
    except UnreadableFile:
        return  # what is wrong with the whole file has been said
    console.print(f"looking for NaN and infinity in {len(keys)} arrays", style="dim") if console.is_terminal else None
    for key in keys:
        try:
            problem = _first_not_finite(path, key)
        except UnreadableFile as error:
            report.problems += [problem for problem in error.problems if problem not in report.problems]
            continue
        report.problems += [problem] if problem else []


def _first_not_finite(path: Path, key: str) -> Problem | None:
    arrays = open_arrays(path)
    info = arrays.info(key)
    number = info.shape[0] if info.shape else 0
    if not number or not np.issubdtype(info.dtype, np.floating):
        return None
    first, events = None, 0
    for start in range(0, number, SCANNED_EVENTS):
        rows = arrays.read(key, start, min(start + SCANNED_EVENTS, number)).reshape(-1, *(info.shape[1:] or (1,)))
        wrong = ~np.isfinite(rows.reshape(len(rows), -1).astype(np.float64))
        events += int(wrong.any(axis=1).sum())
        if first is None and wrong.any():
            event, place = np.argwhere(wrong)[0]
            first = (start + int(event), int(place), rows.reshape(len(rows), -1)[event, place])
    if first is None:
        return None
    what = f"value {first[1]} is {first[2]}, the first of {events} of {number} events that are not finite"
    return Problem(what, "Remove these events from the file, or simulate them again", key, first[0])
