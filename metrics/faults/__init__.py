"""Injected faults: full simulation made worse on purpose, in a known way and at a known strength. One file each.

They test the metrics, and they fix the scales of the combined score: a component divided by its mean
over these faults counts as much as any other.
"""

from data_adapters.detector import Detector
from data_adapters.registry import Registry
from metrics.faults.cell_threshold import CELL_THRESHOLD
from metrics.faults.collapsed_conditions import COLLAPSED_CONDITIONS, HALVED_FLUCTUATIONS
from metrics.faults.component import Fault
from metrics.faults.dropped_mode import DROPPED_MODE
from metrics.faults.duplicated_events import DUPLICATED_EVENTS
from metrics.faults.energy_scale import ENERGY_SCALE
from metrics.faults.outliers import OUTLIERS
from metrics.faults.permuted_layers import PERMUTED_LAYERS
from metrics.faults.transposed_axes import TRANSPOSED_AXES
from metrics.faults.wider_resolution import WIDER_RESOLUTION

FAULTS: Registry[Fault] = Registry(
    "fault",
    ENERGY_SCALE,
    WIDER_RESOLUTION,
    OUTLIERS,
    DROPPED_MODE,
    COLLAPSED_CONDITIONS,
    HALVED_FLUCTUATIONS,
    PERMUTED_LAYERS,
    DUPLICATED_EVENTS,
    CELL_THRESHOLD,
    TRANSPOSED_AXES,
)


def faults_of(detector: Detector) -> Registry[Fault]:
    """The faults that events of a detector can have."""
    return Registry(f"fault of {detector.name}", *(fault for fault in FAULTS.values() if fault.applies(detector)))
