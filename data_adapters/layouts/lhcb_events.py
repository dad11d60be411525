"""Adapter for full events, of several tracks each, in the hadronic calorimeter of LHCb (ROOT).

Layout: TTree ``events``. Lists with one element a track: ``x_projections``, ``y_projections`` [mm], where it hits the
face; ``real_ET`` [MeV], its transverse energy from the tracker; where they are there, ``signal`` (0 none, 1 kaon, 2
pion, 3 muon), which no generator is told, and ``pdg``. One an event: ``inner_image`` float32[896] and ``outer_image``
float32[832] [MeV of transverse energy] as in ``lhcb_tracks``; where they are there, ``event`` and ``source_block``:
events of a block share source showers, and so are always in one split.

Source: T. Neuer, master thesis, University of Zurich, 2020, section 2.2; names of the branches as there.
"""

# Axes: N events, T tracks of the longest event that an option allows.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters import root
from data_adapters.adapter import Adapter
from data_adapters.columns import impossible_values, not_whole
from data_adapters.detector import Condition, Detector
from data_adapters.layouts.lhcb_geometry import FACE, HIT_MEV, LOWEST_ET_MEV, X, Y
from data_adapters.layouts.lhcb_tracks import (
    NOT_MEV,
    OFF_FACE,
    TRACK_ENERGY,
    TRANSVERSE_ENERGY,
    MergedResponse,
    in_metres,
    present,
)
from data_adapters.options import InvalidOption
from data_adapters.problems import Problem, UnreadableFile, refuse_values
from data_adapters.root import Jagged, Needed
from data_adapters.source import EventSource
from data_adapters.splits import identities

SIGNAL, PDG, EVENT = "signal", "pdg", "event"
SIGNALS = ("none", "kaon", "pion", "muon")

Tracks = Mapping[str, Jagged]


@dataclass(frozen=True)
class LhcbEventsOptions:
    """Names of the tree and its branches, and how many tracks an event has at most.

    Attributes:
        most_tracks: T; files that are used together need the same.
    Raises: InvalidOption for less than one track.
    """

    tree: str = "events"
    x: str = "x_projections"
    y: str = "y_projections"
    transverse_energy: str = "real_ET"
    inner_image: str = "inner_image"
    outer_image: str = "outer_image"
    source_block: str = "source_block"
    most_tracks: int = 64

    def __post_init__(self) -> None:
        if self.most_tracks < 1:
            raise InvalidOption(f"option most_tracks is {self.most_tracks}; at least 1 is needed")

    @property
    def told(self) -> tuple[str, str, str]:
        """The branches of the tracks that a generator is told, in the order of ``tracks``."""
        return self.x, self.y, self.transverse_energy


def lhcb_events_detector(most_tracks: int = LhcbEventsOptions.most_tracks) -> Detector:
    """The calorimeter with the conditions of full events.

    ``tracks`` (T, 3): x [mm], y [mm] and transverse energy [MeV] of each, in the order of the file, then zeros;
    ``num_tracks``; ``transverse_energy``, the sum of the tracks' [MeV].
    """
    return Detector(
        name="lhcb-events",
        title="LHCb hadronic calorimeter, full events, 52 × 64 cells",
        layers=(FACE,),
        conditions=(
            Condition("tracks", "mm, mm, MeV", shape=(most_tracks, 3)),
            Condition("num_tracks", "1", low=1, high=most_tracks),
            Condition(TRANSVERSE_ENERGY, "MeV", bins=True, energy=True, low=LOWEST_ET_MEV),
        ),
        quantity="transverse energy",
        threshold=HIT_MEV,
    )


def open_lhcb_events(path: Path, options: LhcbEventsOptions) -> EventSource:
    """The events of a file.

    Raises: UnreadableFile if it is missing or no ROOT file, tree or branches are missing or of another shape; or an
        event has no track, or more than the option allows, lists of different length, or a track that is not on the
        face or has an energy that cannot be one (GeV given as MeV).
    """
    response = MergedResponse(path, options.tree, options.inner_image, options.outer_image)
    lists = [Needed(name, jagged=True) for name in options.told]
    lists += [Needed(name, jagged=True, optional=True) for name in (SIGNAL, PDG)]
    single = [Needed(name, optional=True) for name in (EVENT, options.source_block)]
    num_events = root.check_branches(path, options.tree, [*lists, *response.needed, *single])
    listed = root.read_jagged(path, options.tree, present(path, options.tree, lists))
    flat = root.read_fixed(path, options.tree, present(path, options.tree, single))
    lengths = _length_problems(listed, options)
    if lengths:
        raise UnreadableFile(path, *lengths)
    refuse_values(path, _value_problems(listed, options))
    rows_of = {name: padded(lists, options.most_tracks) for name, lists in listed.items()}
    tracks = np.stack([rows_of[name] for name in options.told], axis=2).astype(np.float64)
    return EventSource(
        path=path,
        layout=LHCB_EVENTS.name,
        detector=lhcb_events_detector(options.most_tracks),
        conditions={
            "tracks": tracks,
            "num_tracks": listed[options.x].counts.astype(np.float64),
            TRANSVERSE_ENERGY: tracks[:, :, 2].sum(axis=1),
        },
        identity=identities(flat.get(options.source_block, np.arange(num_events))),
        auxiliary={**flat, **{name: rows for name, rows in rows_of.items() if name not in options.told}},
        read_response=response,
        response_key=response.key,
        chunk_rows=root.chunk_rows(path, options.tree, options.inner_image),
    )


def padded(lists: Jagged, length: int) -> NDArray[np.generic]:
    """Lists as rows of one length, zeros at the end, shape (N, length), in the type of the lists."""
    rows = np.zeros((len(lists.counts), length), dtype=lists.values.dtype.newbyteorder("="))
    rows[np.arange(length) < lists.counts[:, None]] = lists.values
    return rows


def _length_problems(listed: Tracks, options: LhcbEventsOptions) -> list[Problem]:
    counts = listed[options.x].counts
    problems = []
    for name, lists in listed.items():
        other = np.flatnonzero(lists.counts != counts)
        if len(other):
            what = f"it has {lists.counts[other[0]]} elements, {options.x} has {counts[other[0]]}"
            problems.append(Problem(what, "Each track needs one of each", name, int(other[0])))
    for wrong, what, mend in (
        (
            counts == 0,
            "it has no track, so that the transverse energy of the tracks is 0",
            "Remove events without tracks",
        ),
        (
            counts > options.most_tracks,
            f"{{}} tracks, at most {options.most_tracks} are read",
            "Set option most_tracks",
        ),
    ):
        events = np.flatnonzero(wrong)
        if len(events):
            what = f"{what.format(counts[events[0]])} (the first of {len(events)} of {len(counts)} events)"
            problems.append(Problem(what, mend, options.x, int(events[0])))
    return problems


def _value_problems(listed: Tracks, options: LhcbEventsOptions) -> list[Problem]:
    """What is wrong with the values of tracks; each with the number of the event, not of the track."""
    counts = listed[options.x].counts
    event = np.repeat(np.arange(len(counts)), counts)
    x, y, energy = (listed[name].values.astype(np.float64) for name in options.told)
    problems = impossible_values(x, X, options.x, OFF_FACE, event)
    problems += impossible_values(y, Y, options.y, OFF_FACE, event)
    problems += in_metres(x, y, options.x)
    problems += impossible_values(energy, TRACK_ENERGY, options.transverse_energy, NOT_MEV, event)
    if SIGNAL in listed:
        mend = f"Give {', '.join(f'{number} for {name}' for number, name in enumerate(SIGNALS))}"
        signal = listed[SIGNAL].values.astype(np.float64)
        problems += not_whole(signal, 0, len(SIGNALS) - 1, SIGNAL, mend, event)
    return problems


def _recognises(path: Path) -> bool:
    return bool({"events/inner_image", "events/outer_image"} & root.keys_of(path))


LHCB_EVENTS = Adapter(
    name="lhcb-events",
    title="LHCb hadronic calorimeter, full events (ROOT)",
    layout=(
        "TTree events: lists of the tracks x_projections, y_projections [mm], real_ET [MeV] and, where they are there, "
        "signal (0 none, 1 kaon, 2 pion, 3 muon), pdg; inner_image float32[896] and outer_image float32[832] [MeV of "
        "transverse energy] as in lhcb-tracks; event and source_block (of events that share source showers) where they "
        "are there"
    ),
    suffixes=root.SUFFIXES,
    recognises=_recognises,
    open=open_lhcb_events,
    source="T. Neuer, master thesis, University of Zurich, 2020, section 2.2",
    options_class=LhcbEventsOptions,
)
