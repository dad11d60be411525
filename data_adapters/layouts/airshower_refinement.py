"""Adapter for the refinement of simulated air-shower traces to data (HDF5 or NPZ).

What is to be generated are the traces of the *data*, and what a generator is told are the traces of the *simulation*
and the energy. Layout: ``traces`` and ``simulated_traces`` (N, 9, 9, 80) [VEM], ``energy`` (N,) [EeV] of both; where
the two samples are not of the same showers, ``simulated_energy`` (M,) with M ≥ N. Or two files of the layout
airshower-array: the data, and with the option ``simulation`` the simulation (a path, seen from the folder of the
data).

Only distributions are compared, so the two samples need not be of the same showers; they need the same spectrum of
energies. Each event of the data gets a simulated one by the rank of its energy. What both have in the same order (a
pair of samples with one seed) stays as it is.

Source: arXiv:1802.03325, sections 2.4 and 3.
"""

# Axes: N events of the data, M simulated ones.
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters import hdf5
from data_adapters.adapter import Adapter
from data_adapters.columns import impossible_values
from data_adapters.detector import Condition
from data_adapters.events import INCIDENT_ENERGY
from data_adapters.formats.component import ArrayFile
from data_adapters.formats.hdf5_arrays import HDF5
from data_adapters.formats.registry import open_arrays
from data_adapters.layouts.airshower import (
    AIRSHOWER_ARRAY_DETECTOR,
    CORE,
    ENERGY,
    PRIMARY_ENERGY,
    STATIONS,
    SUFFIXES,
    TIME_BINS,
    TRACES,
    ArrayResponse,
    check_arrays,
)
from data_adapters.problems import Problem, UnreadableFile, refuse_values
from data_adapters.source import EventSource
from data_adapters.splits import identities_with_occurrence

SIMULATED_TRACES, SIMULATED_ENERGY = "simulated_traces", "simulated_energy"
TRACE_SHAPE = (*STATIONS, TIME_BINS)
SAME_ENERGY = 1e-6  # relative difference of energies that were stored as float32
SAME_SPECTRUM = 0.1  # mean |ln(E / E of the simulated event)|, above which the spectra are not the same

# The same detector, judged by the same scorecard; a generator is told more.
AIRSHOWER_REFINEMENT_DETECTOR = replace(
    AIRSHOWER_ARRAY_DETECTOR,
    title="surface array, 9 × 9 stations, 80 bins of 25 ns, simulated traces known",
    conditions=(PRIMARY_ENERGY, Condition(SIMULATED_TRACES, "VEM", shape=TRACE_SHAPE, low=0.0)),
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RefinementOptions:
    """What a file of data does not say itself.

    Attributes:
        simulation: File of the simulated traces, seen from the folder of the data; "" if they are in the same file.
    """

    simulation: str = ""


def open_airshower_refinement(path: Path, options: RefinementOptions) -> EventSource:
    """The data, with the simulated traces among the conditions: these are read at once.

    Raises: UnreadableFile if a file is missing or damaged, arrays are missing, shapes, types or lengths do not fit, an
        energy cannot be one, or the two spectra are not the same.
    """
    data = open_arrays(path)
    num_events = check_arrays(data, _needed(data, TRACES, ENERGY))
    energy = _energies(data, ENERGY, num_events)
    simulation, key, simulated = _simulation(path, options, data, energy)
    rows = matched_rows(energy, simulated, simulation.path)
    traces = simulation.read(key, 0, len(simulated)).astype(np.float64)
    core = {CORE: data.read(CORE, 0, num_events).astype(np.float64)} if _has(data, CORE) else {}
    return EventSource(
        path=path,
        layout=AIRSHOWER_REFINEMENT.name,
        detector=AIRSHOWER_REFINEMENT_DETECTOR,
        conditions={INCIDENT_ENERGY: energy, SIMULATED_TRACES: traces if rows is None else traces[rows]},
        identity=identities_with_occurrence(energy),
        auxiliary=core,
        read_response=(
            hdf5.Hdf5Response(path, TRACES) if path.suffix.lower() in HDF5.suffixes else ArrayResponse(path, TRACES)
        ),
        response_key=TRACES,
        chunk_rows=data.info(TRACES).chunk_rows,
        files=tuple(dict.fromkeys((path, simulation.path))),
    )


def matched_rows(energy: Floats, simulated: Floats, path: Path) -> NDArray[np.intp] | None:
    """The simulated event of each event of the data, (N,), by the rank of its energy; None if all have their own.

    Args:
        energy, simulated: [EeV], (N,) and (M,).
    Raises: UnreadableFile if there are fewer simulated events, or their spectrum is another one.
    """
    if len(energy) == len(simulated) and np.allclose(energy, simulated, rtol=SAME_ENERGY, atol=0):
        return None
    if len(simulated) < len(energy):
        what = f"it holds {len(simulated)} events; the data are {len(energy)}"
        raise UnreadableFile(path, Problem(what, "Give at least as many simulated events as events of the data"))
    ranks = ((np.arange(len(energy)) + 0.5) * len(simulated) / len(energy)).astype(np.intp)
    rows = np.empty(len(energy), dtype=np.intp)
    rows[np.argsort(energy, kind="stable")] = np.argsort(simulated, kind="stable")[ranks]
    apart = float(np.abs(np.log(energy / simulated[rows])).mean())
    if apart > SAME_SPECTRUM:
        what = f"its energies differ from those of the data by {100 * apart:.0f} % on average, when both are sorted"
        raise UnreadableFile(path, Problem(what, "Select events so that both samples have the same spectrum"))
    return rows


def _simulation(
    path: Path, options: RefinementOptions, data: ArrayFile, energy: Floats
) -> tuple[ArrayFile, str, Floats]:
    """Where the simulated traces are: the arrays, the key, and their energies."""
    if options.simulation:
        simulation = open_arrays(_existing(path, options.simulation))
        num_events = check_arrays(simulation, _needed(simulation, TRACES, ENERGY))
        return simulation, TRACES, _energies(simulation, ENERGY, num_events)
    if not _has(data, SIMULATED_ENERGY):
        check_arrays(data, {SIMULATED_TRACES: TRACE_SHAPE, ENERGY: ()})
        return data, SIMULATED_TRACES, energy
    num_events = check_arrays(data, {SIMULATED_TRACES: TRACE_SHAPE, SIMULATED_ENERGY: ()})
    return data, SIMULATED_TRACES, _energies(data, SIMULATED_ENERGY, num_events)


def _existing(path: Path, simulation: str) -> Path:
    found = path.parent / simulation
    if not found.is_file():
        raise UnreadableFile(path, Problem(f"there is no {found}", "Mend the option simulation"))
    return found


def _needed(arrays: ArrayFile, traces: str, energy: str) -> dict[str, tuple[int, ...]]:
    needed: dict[str, tuple[int, ...]] = {traces: TRACE_SHAPE, energy: ()}
    return needed | ({CORE: (2,)} if _has(arrays, CORE) else {})


def _energies(arrays: ArrayFile, key: str, num_events: int) -> Floats:
    values = arrays.read(key, 0, num_events).astype(np.float64).reshape(-1)
    refuse_values(arrays.path, impossible_values(values, PRIMARY_ENERGY, key, "Give it in EeV"))
    return values


def _has(arrays: ArrayFile, key: str) -> bool:
    return key in arrays.keys()  # noqa: SIM118


AIRSHOWER_REFINEMENT = Adapter(
    name="airshower-refinement",
    title="air showers on a surface array, traces of data and of their simulation (HDF5, NPZ)",
    layout=(
        "traces and simulated_traces (N, 9, 9, 80) [VEM], row, column, bins of 25 ns; energy (N,) [EeV]; "
        "simulated_energy (M,) [EeV] where the M ≥ N simulated showers are others; or two files of airshower-array, "
        "the second named by the option simulation"
    ),
    suffixes=SUFFIXES,
    recognises=lambda path: {TRACES, SIMULATED_TRACES, ENERGY} <= set(open_arrays(path).keys()),
    open=open_airshower_refinement,
    options_class=RefinementOptions,
    source="arXiv:1802.03325, sections 2.4 and 3",
)
