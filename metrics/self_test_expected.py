"""What the self-test is to find: written down before it ran.

For each scorecard the dataset whose validation events are used, and for each fault at its stated strength the metrics
that are to notice it in nine draws of ten (α = 0.01) when all of them are drawn. Faults that are missing are too weak
for so few events: 3 % of the energy scale is below the resolution of hadrons, and so on. The same is expected of any
other sample that is as large, such as the 10 000 photons of 1 and 2 GeV of the tests. What was missed when it ran is in
``SHORTFALLS``; it stays expected, and missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CALORIMETER = ("score", "bmre", "response", "wasserstein", "correlation")
TRACKS = ("score", "bmre", "helix_residual", "wasserstein", "correlation")
ARRAY = ("score", "bmre", "shower_size", "wasserstein", "correlation")
SHAPES = ("score", "bmre", "wasserstein")
SHAPES_AND_CORRELATION = (*SHAPES, "correlation")
SHAPES_AND_RESPONSE = ("score", "bmre", "response", "wasserstein")


@dataclass(frozen=True)
class Expected:
    """What is expected of one scorecard.

    Attributes:
        dataset: Name.
        noticed: Fault → metrics.
    """

    dataset: str
    noticed: Mapping[str, tuple[str, ...]]


_AIRSHOWER = {
    "dropped_mode": ("score", "shower_size", "wasserstein"),
    "collapsed_conditions": ARRAY,
    "halved_fluctuations": ARRAY,
    "duplicated_events": SHAPES_AND_CORRELATION,
    "cell_threshold": SHAPES,
    "transposed_axes": SHAPES,
}

_CLIC: Mapping[str, tuple[str, ...]] = {
    "energy_scale": ("score", "response"),
    "outliers": ("score", "response", "wasserstein"),
    "dropped_mode": SHAPES,
    "collapsed_conditions": SHAPES_AND_CORRELATION,
    "halved_fluctuations": SHAPES,
    "permuted_layers": SHAPES,
    "duplicated_events": SHAPES_AND_CORRELATION,
    "cell_threshold": SHAPES_AND_RESPONSE,
    "transposed_axes": SHAPES,
}

EXPECTED: Mapping[str, Expected] = {
    "atlas-photons-v1": Expected(
        "atlas-photons-geant4",
        {
            "energy_scale": ("score", "response", "wasserstein"),
            "wider_resolution": ("score", "wasserstein"),
            "outliers": ("score", "response", "wasserstein", "correlation"),
            "dropped_mode": SHAPES_AND_CORRELATION,
            "collapsed_conditions": SHAPES_AND_CORRELATION,
            "halved_fluctuations": SHAPES,
            "permuted_layers": SHAPES_AND_CORRELATION,
            "duplicated_events": SHAPES_AND_CORRELATION,
            "cell_threshold": ("score", "response", "wasserstein"),
            "transposed_axes": ("score", "bmre"),
        },
    ),
    "clic-electrons-v1": Expected("clic-electrons-100-200gev", _CLIC),
    "clic-electrons-coarse-v1": Expected("clic-electrons-coarse", _CLIC),
    "lhcb-tracks-v1": Expected(
        "lhcb-pions-geant4",
        {
            "wider_resolution": SHAPES_AND_CORRELATION,
            "dropped_mode": SHAPES_AND_RESPONSE,
            "collapsed_conditions": SHAPES,
            "halved_fluctuations": SHAPES,
            "duplicated_events": CALORIMETER,
            "cell_threshold": SHAPES_AND_RESPONSE,
            "transposed_axes": SHAPES_AND_CORRELATION,
        },
    ),
    "lhcb-events-v1": Expected(
        "lhcb-events-geant4",
        {
            "energy_scale": ("wasserstein",),
            "dropped_mode": SHAPES_AND_RESPONSE,
            "collapsed_conditions": SHAPES_AND_CORRELATION,
            "halved_fluctuations": SHAPES,
            "duplicated_events": CALORIMETER,
            "cell_threshold": SHAPES_AND_RESPONSE,
            "transposed_axes": SHAPES_AND_CORRELATION,
        },
    ),
    "alice-tracks-v1": Expected(
        "alice-tracks-geant4",
        {
            "energy_scale": SHAPES,
            "wider_resolution": ("score", "bmre", "helix_residual", "wasserstein"),
            "outliers": ("score", "helix_residual", "wasserstein", "correlation"),
            "dropped_mode": ("score", "bmre", "helix_residual", "wasserstein"),
            "collapsed_conditions": TRACKS,
            "halved_fluctuations": ("score", "bmre", "helix_residual", "wasserstein"),
            "duplicated_events": TRACKS,
        },
    ),
    "airshower-array-v1": Expected("airshower-data", _AIRSHOWER),
    "airshower-pattern-v1": Expected("airshower-data-patterns", _AIRSHOWER),
}

# (dataset, fault, metric): noticed in fewer draws than expected.
SHORTFALLS = frozenset(
    {
        ("atlas-photons-geant4", "wider_resolution", "score"),
        ("atlas-photons-geant4", "wider_resolution", "wasserstein"),
        ("atlas-photons-geant4", "cell_threshold", "score"),
        ("atlas-photons-geant4", "cell_threshold", "response"),
        ("atlas-photons-geant4", "cell_threshold", "wasserstein"),
        ("clic-electrons-100-200gev", "permuted_layers", "score"),
        ("clic-electrons-coarse", "dropped_mode", "score"),
        ("lhcb-pions-geant4", "wider_resolution", "bmre"),
        ("lhcb-events-geant4", "energy_scale", "wasserstein"),
        ("lhcb-events-geant4", "duplicated_events", "response"),
        ("alice-tracks-geant4", "dropped_mode", "helix_residual"),
        ("airshower-data", "dropped_mode", "wasserstein"),
        ("airshower-data-patterns", "dropped_mode", "wasserstein"),
    }
)
