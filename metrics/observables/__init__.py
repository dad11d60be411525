"""Observables: what is computed from a shower before two samples are compared."""

from data_adapters.layouts.atlas_hdf5 import ATLAS_PHOTONS
from data_adapters.registry import Registry
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
