"""Observables: what is computed from a shower before two samples are compared."""

from functools import lru_cache

from data_adapters.detector import Detector
from data_adapters.layouts.atlas_hdf5 import ATLAS_PHOTONS
from data_adapters.registry import Registry
from metrics.observables.along_axes import axis_observables, hits, told_conditions
from metrics.observables.component import Observable
from metrics.observables.energy_response import ENERGY_RESPONSE
from metrics.observables.lateral_shape import lateral_shapes
from metrics.observables.layer_energy import layer_energies
from metrics.observables.shower_depth import SHOWER_DEPTH

OBSERVABLES: Registry[Observable] = Registry(
    "observable",
    ENERGY_RESPONSE,
    *layer_energies(ATLAS_PHOTONS),
    SHOWER_DEPTH,
    *lateral_shapes(ATLAS_PHOTONS),
)


@lru_cache(maxsize=16)
def observables_of(detector: Detector) -> Registry[Observable]:
    """The observables of a detector: the registered ones, or those that follow from its axes."""
    if detector == ATLAS_PHOTONS:
        return OBSERVABLES
    return Registry(
        f"observable of {detector.name}",
        ENERGY_RESPONSE,
        *hits(detector),
        *axis_observables(detector),
        *told_conditions(detector),
    )
