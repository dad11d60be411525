"""What the plots of a model page show: histograms, profiles, mean showers, response against energy.

Everything is returned as plain lists of finite numbers, ready to be written as JSON.
"""

# Axes: N events, n events of one energy, V cells, B bins or positions.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.events import INCIDENT_ENERGY, Events
from metrics.binning import bin_index
from metrics.condition_bin import ConditionBin, condition_bins
from metrics.condition_cells import ConditionCells, condition_cells, energy_cells
from metrics.discrepancies.chi_squared import chi_squared_table, p_value
from metrics.event_gallery import View, views
from metrics.labels import energy_name, in_mev, over_energy
from metrics.observables import observables_of
from metrics.observables.component import Observable
from metrics.observables.energy_response import ENERGY_RESPONSE
from metrics.observed_sample import ObservedSample, observe_sample
from metrics.paired_sample import PairedSample
from metrics.scorecard import Scorecard
from metrics.scorecards.atlas_photons import ATLAS_PHOTONS_V1
from metrics.whole_sample.cells import is_no_image

PLOT_BINS = 25
PLOT_QUANTILES = (0.005, 0.995)
PLOT_MARGIN = 0.1  # of the range between these quantiles, on either side

SIGNIFICANT_DIGITS = 6
IMAGE_DIGITS = 4  # of a cell: more than its colour shows
RESPONSE_NAMES = (ENERGY_RESPONSE.name,)

Values = dict[str, NDArray[np.float64]]
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def histograms_for_plots(
    reference: Events,
    generated_response: NDArray[np.float32],
    twin_response: NDArray[np.float32] | None = None,
    scorecard: Scorecard = ATLAS_PHOTONS_V1,
) -> list[dict[str, Any]]:
    """Every observable of a scorecard at every energy, for plots with a ratio below.

    A distribution is the fraction of events in each of 25 uniform bins, under- and overflow in the end
    bins, with Poisson errors; a profile is its mean over the events with the error of the mean.
    χ² is the one of the judgement, in the bins of the scorecard, which are not the bins of the plot.

    Args:
        generated_response: Cell energies [MeV], shape (N, V), at the conditions of the reference.
        twin_response: The same particles simulated again, or None.
    Returns: One dictionary for each energy and observable: ``observable``, ``title``, ``unit``,
        ``kind``, ``energy_mev``, ``label``, ``edges`` (B + 1), ``edges_unit``, ``y_label``, ``reference``,
        ``reference_error``, ``generated``, ``generated_error`` (B), ``floor`` (B, or None), ``chi2``,
        ``ndf``, ``p_value``.
    Raises: InvalidEvents for a response that cannot be judged.
    """
    names = (*scorecard.distributions, *scorecard.profiles)
    generated = _observed(reference, generated_response, names)
    twin = None if twin_response is None else _observed(reference, twin_response, names)
    r = _observed(reference, reference.response, names)
    cells = condition_cells(scorecard, reference.detector, reference.conditions)
    return histograms(condition_bins(scorecard, cells, r.values), names, r, generated, twin)


def histograms(
    bins: Sequence[ConditionBin],
    names: Sequence[str],
    reference: ObservedSample,
    generated: ObservedSample,
    twin: ObservedSample | None,
) -> list[dict[str, Any]]:
    """What ``histograms_for_plots`` returns, of samples that have been observed.

    Args:
        names: Distributions and profiles of the scorecard.
    """
    detector = reference.detector
    values, others = reference.observe(names), generated.observe(names)
    again = None if twin is None else twin.observe(names)
    return [
        plot | {"energy_mev": in_mev(condition_bin.condition, detector), "label": condition_bin.label}
        for condition_bin in bins
        for plot in _plots_in_bin(condition_bin, observables_of(detector), values, others, again)
    ]


def _plots_in_bin(
    condition_bin: ConditionBin,
    observables: Mapping[str, Observable],
    reference: Values,
    generated: Values,
    twin: Values | None,
) -> list[dict[str, Any]]:
    names = tuple(reference)
    ones = np.ones((1, len(condition_bin.events)))
    chi2, ndf = chi_squared_table(
        condition_bin, condition_bin.measure(reference), condition_bin.measure(generated), ones
    )
    tests = zip(names, chi2[0], ndf[0], p_value(chi2[0], ndf[0]), strict=True)
    events = condition_bin.events
    return [
        _plot(
            observables[name],
            reference[name][events],
            generated[name][events],
            None if twin is None else twin[name][events],
        )
        | {
            "chi2": float(value),
            "ndf": int(degrees),
            "p_value": float(probability),
        }
        for name, value, degrees, probability in tests
    ]


def _plot(
    observable: Observable,
    reference: NDArray[np.float64],
    generated: NDArray[np.float64],
    twin: NDArray[np.float64] | None,
) -> dict[str, Any]:
    is_profile = observable.kind == "profile"
    edges = np.array(observable.edges) if is_profile else plot_edges(reference)

    def curve(values: NDArray[np.float64]) -> Curve:
        return mean_profile(values) if is_profile else event_fractions(values, edges)

    (r, r_error), (g, g_error) = curve(reference), curve(generated)
    return {
        "observable": observable.name,
        "title": observable.title,
        "unit": observable.unit,
        "kind": observable.kind,
        "edges": _numbers(edges),
        "edges_unit": observable.edges_unit if is_profile else observable.unit,
        "x_label": observable.x_label if is_profile else observable.title,
        "y_label": observable.y_label if is_profile else "Fraction of events",
        "reference": _numbers(r),
        "reference_error": _numbers(r_error),
        "generated": _numbers(g),
        "generated_error": _numbers(g_error),
        "floor": None if twin is None else _numbers(curve(twin)[0]),
    }


def _numbers(values: NDArray[np.float64], digits: int = SIGNIFICANT_DIGITS) -> list[float]:
    """Rounded to what a plot can show: the files are a third of the size."""
    return [float(f"{value:.{digits}g}") for value in values]


def plot_edges(reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Uniform edges, shape (26,), around the bulk of the reference values."""
    low, high = np.quantile(reference, PLOT_QUANTILES)
    margin = PLOT_MARGIN * (high - low) if high > low else 0.5
    return np.linspace(low - margin, high + margin, PLOT_BINS + 1)


def event_fractions(values: NDArray[np.float64], edges: NDArray[np.float64]) -> Curve:
    """Fraction of the events in each bin and its Poisson error; under- and overflow are in the end bins."""
    counts = np.bincount(bin_index(values, edges[1:-1]), minlength=len(edges) - 1)
    return counts / len(values), np.sqrt(counts) / len(values)


def mean_profile(values: NDArray[np.float64]) -> Curve:
    """Mean over the events, values of shape (n, B), and its standard error."""
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def mean_images(
    reference: Events, generated_response: NDArray[np.float32], scorecard: Scorecard = ATLAS_PHOTONS_V1
) -> list[dict[str, Any]]:
    """Mean shower of each condition bin, layer by layer; of a volume, its sums along each axis.

    Returns: One dictionary for each bin: ``energy_mev``, ``label``, ``value_label`` (what an image holds) and
        ``layers``, a list of ``layer``, ``depth_x0`` (radiation lengths, None where unknown), ``row_edges``,
        ``column_edges``, ``row_label``, ``column_label`` and the mean E_cell / E_inc of ``reference`` and
        ``generated`` as lists of rows of columns.
    Raises: InvalidEvents for a response that cannot be judged.
    """
    cells = condition_cells(scorecard, reference.detector, reference.conditions)
    pair = (_observed(reference, response, (), cells) for response in (reference.response, generated_response))
    return images(cells, *pair)


def images(cells: ConditionCells, reference: ObservedSample, generated: ObservedSample) -> list[dict[str, Any]]:
    """What ``mean_images`` returns, of samples whose mean showers were observed in these condition bins.

    None where the cells hold coordinates, which are no image.
    """
    detector = reference.detector
    if is_no_image(reference):
        return []
    return [
        {
            "energy_mev": in_mev(value, detector),
            "label": label,
            "value_label": over_energy(detector),
            "layers": _layer_images(detector, {"reference": real, "generated": other}),
        }
        for value, label, real, other in zip(
            cells.values, cells.labels, reference.mean_showers, generated.mean_showers, strict=True
        )
    ]


def _layer_images(detector: Detector, samples: Values) -> list[dict[str, Any]]:
    return [view.to_json(detector) | _image(view, samples) for view in views(detector)]


def _image(view: View, samples: Values) -> dict[str, Any]:
    return {name: [_numbers(row, IMAGE_DIGITS) for row in view.image(shower)] for name, shower in samples.items()}


def response_against_energy(
    reference: Events,
    generated_response: NDArray[np.float32],
    twin_response: NDArray[np.float32] | None = None,
    scorecard: Scorecard = ATLAS_PHOTONS_V1,
) -> list[dict[str, Any]]:
    """Mean and resolution of E / E_inc against the incident energy, in the condition bins of a scorecard.

    Source: ATL-SOFT-PUB-2018-001, figure 4b.

    Returns: Two dictionaries (``quantity`` "mean" and "resolution", the standard deviation over the
        mean): ``x_label``, ``y_label``, ``energy_mev`` (E), and ``reference``, ``generated`` and ``floor`` with
        ``…_error`` (E each; None without a twin). None where the bins are not those of an energy.
    Raises: InvalidEvents for a response that cannot be judged.
    """
    if not has_response(reference.detector):
        return []
    r, g = (_observed(reference, sample, RESPONSE_NAMES) for sample in (reference.response, generated_response))
    twin = None if twin_response is None else _observed(reference, twin_response, RESPONSE_NAMES)
    return response_curves(scorecard, r, g, twin)


def has_response(detector: Detector) -> bool:
    """Whether there is a response over incident energy, in condition bins that are those of an energy."""
    return detector.binning_condition.energy and ENERGY_RESPONSE.name in observables_of(detector)


def response_curves(
    scorecard: Scorecard, reference: ObservedSample, generated: ObservedSample, twin: ObservedSample | None
) -> list[dict[str, Any]]:
    """What ``response_against_energy`` returns, of samples whose response was observed (``RESPONSE_NAMES``).

    Nothing where there is one bin, which makes no curve.
    """
    if not has_response(reference.detector):
        return []
    cells = energy_cells(scorecard, reference.detector, reference.conditions)
    energies = np.array([in_mev(value, reference.detector) for value in cells.values])
    if len(energies) < 2:
        return []
    samples = {"reference": reference, "generated": generated, "floor": twin}
    curves = {
        name: None if sample is None else _response_curves(sample.values[ENERGY_RESPONSE.name], cells.number)
        for name, sample in samples.items()
    }
    plots = []
    for index, (name, label) in enumerate((("mean", _mean_label(reference.detector)), ("resolution", "σ(E) / ⟨E⟩"))):
        plot: dict[str, Any] = {
            "quantity": name,
            "x_label": energy_name(reference.detector),
            "y_label": label,
            "energy_mev": _numbers(energies),
        }
        for sample, curve in curves.items():
            plot[sample] = None if curve is None else _numbers(curve[index][0])
            plot[f"{sample}_error"] = None if curve is None else _numbers(curve[index][1])
        plots.append(plot)
    return plots


def _mean_label(detector: Detector) -> str:
    """What is divided by what: short where the units are the same, else with the unit of the ratio."""
    energy = detector.energy_condition
    if energy is None or (energy.name == INCIDENT_ENERGY and energy.unit == detector.unit):
        return "Mean of E / E_inc"
    return "Mean, cells / particles" if energy.unit == detector.unit else f"Mean {over_energy(detector)}"


def _response_curves(response: NDArray[np.float64], number: NDArray[np.intp]) -> tuple[Curve, Curve]:
    samples = [response[number == index] for index in range(number.max() + 1)]
    num = np.array([len(sample) for sample in samples])
    mean = np.array([sample.mean() for sample in samples])
    deviation = np.array([sample.std(ddof=1) for sample in samples])
    resolution = np.divide(deviation, mean, out=np.zeros_like(mean), where=mean > 0)
    # Relative errors of a standard deviation (normal) and of a mean, added in quadrature.
    resolution_error = resolution * np.sqrt(1 / (2 * (num - 1)) + resolution**2 / num)
    return (mean, deviation / np.sqrt(num)), (resolution, resolution_error)


def _observed(
    reference: Events, response: NDArray[np.float32], names: Sequence[str], cells: ConditionCells | None = None
) -> ObservedSample:
    return observe_sample(PairedSample.in_memory(reference, response), names, cells)
