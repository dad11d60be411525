"""Observables: what is computed from a shower before two samples are compared."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.events import Events
from data_adapters.registry import Registry
from metrics.observables.airshower_signal import AIRSHOWER_SIGNAL
from metrics.observables.airshower_size import AIRSHOWER_SIZE
from metrics.observables.airshower_trace import AIRSHOWER_TRACE
from metrics.observables.along_axes import ALONG_AXES
from metrics.observables.calochallenge_features import CALOCHALLENGE_FEATURES
from metrics.observables.cell_spectrum import CELL_SPECTRUM
from metrics.observables.component import Family, Observable
from metrics.observables.energy_response import RESPONSE
from metrics.observables.helix_residual import HELIX_RESIDUAL
from metrics.observables.helix_track import HELIX_TRACK
from metrics.observables.hits import HITS
from metrics.observables.lateral_shape import LATERAL_SHAPE
from metrics.observables.layer_energy import LAYER_ENERGY
from metrics.observables.layer_fraction import LAYER_FRACTION
from metrics.observables.lhcb_image import LHCB_IMAGE
from metrics.observables.lhcb_impact import LHCB_IMPACT
from metrics.observables.lhcb_trigger import LHCB_TRIGGER
from metrics.observables.longitudinal_parts import LONGITUDINAL_PARTS
from metrics.observables.maximum_cell import MAXIMUM_CELL
from metrics.observables.measured_angle import MEASURED_ANGLE
from metrics.observables.sample import Sample
from metrics.observables.shower_depth import DEPTH
from metrics.observables.sparsity import SPARSITY
from metrics.observables.told_conditions import CONDITIONS

OBSERVABLES: Registry[Family] = Registry(
    "observable",
    RESPONSE,
    LAYER_ENERGY,
    DEPTH,
    LATERAL_SHAPE,
    HITS,
    ALONG_AXES,
    CONDITIONS,
    LAYER_FRACTION,
    LONGITUDINAL_PARTS,
    MAXIMUM_CELL,
    CELL_SPECTRUM,
    SPARSITY,
    MEASURED_ANGLE,
    CALOCHALLENGE_FEATURES,
    LHCB_IMAGE,
    LHCB_IMPACT,
    LHCB_TRIGGER,
    HELIX_RESIDUAL,
    HELIX_TRACK,
    AIRSHOWER_SIGNAL,
    AIRSHOWER_SIZE,
    AIRSHOWER_TRACE,
)
CELLS_AT_A_TIME = 2**24  # 64 MB of float32


@lru_cache(maxsize=16)
def observables_of(detector: Detector) -> Registry[Observable]:
    """Every observable that a detector has."""
    return Registry(
        f"observable of {detector.name}",
        *(observable for family in OBSERVABLES.values() for observable in family.of(detector)),
    )


def observe(events: Events, names: Iterable[str]) -> dict[str, NDArray[np.float64]]:
    """Observables of all events by name, each of shape (N,) or (N, P).

    Computed in blocks whose size follows from the detector alone: memory is bounded, and the numbers do not depend on
    how the events were generated.

    Raises: UnknownName for an observable that the detector does not have.
    """
    wanted = {name: observables_of(events.detector)[name].function for name in names}
    rows = max(1, CELLS_AT_A_TIME // events.detector.num_cells)
    parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in wanted}
    for start in range(0, len(events), rows):
        sample = Sample(
            events if len(events) <= rows else events.select(np.arange(start, min(start + rows, len(events))))
        )
        for name, function in wanted.items():
            parts[name].append(function(sample))
    return {name: blocks[0] if len(blocks) == 1 else np.concatenate(blocks) for name, blocks in parts.items()}
