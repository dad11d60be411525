"""What condition bins and axes are called, on pages and plots."""

from __future__ import annotations

from data_adapters.detector import ENERGY_UNITS, Axis, Detector

MEV_IN_GEV = 1000.0


def quantity(value: float, unit: str) -> str:
    """A number with its unit, energies from 1000 MeV on in GeV; three significant digits."""
    if unit == "MeV" and abs(value) >= MEV_IN_GEV:
        value, unit = value / MEV_IN_GEV, "GeV"
    digits = f"{value:.3g}" if abs(value) < MEV_IN_GEV else f"{value:.0f}"
    return digits if unit == "1" else f"{digits} {unit}"


def in_mev(value: float, detector: Detector) -> float:
    """A value of the binning condition: an energy in MeV, any other as it is."""
    return value * ENERGY_UNITS.get(detector.binning_condition.unit, 1.0)


def axis_label(axis: Axis) -> str:
    """Name and unit of an axis."""
    symbol = {"eta": "Δη", "phi": "Δφ"}.get(axis.name, axis.name)
    return symbol if axis.unit == "1" else f"{symbol} [{axis.unit}]"


def energy_name(detector: Detector) -> str:
    """What the energy of the binning condition is called: "incident energy", "transverse energy of the particles"."""
    name = detector.binning_condition.name.replace("_", " ")
    return f"{name} of the particles" if name == detector.quantity else name


def over_energy(detector: Detector) -> str:
    """What a cell holds over the incident energy, with the unit of the ratio; as it is where there is no energy."""
    energy = detector.energy_condition
    if energy is None:
        return f"{detector.quantity} [{detector.unit}]"
    name = energy.name.replace("_", " ")
    title = f"{detector.quantity} / {'that of the particles' if name == detector.quantity else name}"
    return title if energy.unit == detector.unit else f"{title} [{detector.unit}/{energy.unit}]"
