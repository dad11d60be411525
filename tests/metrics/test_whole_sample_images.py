"""SSIM against scikit-image, MSCN coefficients against loops, diversity against known ratios."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from skimage.metrics import structural_similarity as their_similarity

from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import Events
from metrics.whole_sample import cells, diversity, mscn, structural_similarity
from metrics.whole_sample.cells import window_sums
from metrics.whole_sample.component import SamplePair, WholeSampleMetric
from metrics.whole_sample.diversity import DIVERSITY
from metrics.whole_sample.mscn import MSCN, coefficients, histogram_edges, jensen_shannon_distance
from metrics.whole_sample.neighbouring_conditions import (
    NeighbourPairs,
    condition_columns,
    condition_scale,
    neighbouring_pairs,
)
from metrics.whole_sample.structural_similarity import DYNAMIC_RANGES, STRUCTURAL_SIMILARITY

ALL = pytest.mark.parametrize("metric", [STRUCTURAL_SIMILARITY, MSCN, DIVERSITY], ids=lambda metric: metric.name)
ENERGIES = (10.0, 100.0)


def detector(*shapes: tuple[int, ...], quantity: str = "energy") -> Detector:
    layers = tuple(
        Layer(f"layer{index}", tuple(Axis.numbered(f"axis{axis}", num) for axis, num in enumerate(shape)))
        for index, shape in enumerate(shapes)
    )
    energy = Condition("incident_energy", "MeV", bins=True, energy=True)
    return Detector("made-up", "Made-up detector", layers, (energy, Condition("angle", "rad")), quantity=quantity)


def showers(num: int, seed: int, *shapes: tuple[int, ...], occupancy: float = 0.5) -> Events:
    """Half of the events at each energy; cells with exponential energies in proportion to it, or empty."""
    made_up = detector(*shapes)
    generator = np.random.default_rng(seed)
    energy = np.repeat(ENERGIES, -(-num // 2))[:num]
    size = (num, made_up.num_cells)
    response = generator.exponential(0.01, size) * (generator.random(size) < occupancy) * energy[:, None]
    conditions = {"incident_energy": energy, "angle": np.linspace(0, 1, num)}
    return Events(made_up, conditions, response.astype(np.float32), np.arange(num, dtype=np.uint64))


def paired(reference: Events, generated: Events) -> SamplePair:
    """Features: the cells over the incident energy, minus the mean over the standard deviation of R in the bin."""
    bins = (reference.incident_energy > ENERGIES[0]).astype(np.intp)
    real, other = (sample.response / sample.incident_energy[:, None] for sample in (reference, generated))
    features = np.empty((2, *real.shape))
    for number in np.unique(bins):
        inside = bins == number
        mean, scale = real[inside].mean(axis=0), real[inside].std(axis=0) + 1e-9
        features[:, inside] = (real[inside] - mean) / scale, (other[inside] - mean) / scale
    return SamplePair(reference, bins, features[0], features[1], generated)


def mean_shower(events: Events) -> Events:
    response = events.response.copy()
    for energy in ENERGIES:
        inside = events.incident_energy == energy
        response[inside] = response[inside].mean(axis=0)
    return events.with_response(response)


def half_the_fluctuations(events: Events) -> Events:
    return events.with_response((events.response + mean_shower(events).response) / np.float32(2))


# Neighbouring conditions


def test_neighbours_are_the_nearest_of_the_same_bin() -> None:
    """Events in order of the angle, at one energy in each bin: the two neighbours of one within are those beside it."""
    events = showers(20, 0, (2,))
    bins = (events.incident_energy > 50).astype(np.intp)
    pairs = neighbouring_pairs(events, bins, 2, seed=0)
    found = [set(pairs.second[pairs.first == event]) for event in range(20)]
    assert found[1:9] == [{event - 1, event + 1} for event in range(1, 9)]
    assert found[9] == {7, 8}
    assert found[10] == {11, 12}
    np.testing.assert_array_equal(pairs.bin, pairs.first >= 10)


def test_conditions_as_numbers() -> None:
    """The energy by its logarithm, one column for each category, four numbers of one condition with half the weight."""
    conditions = (
        Condition("incident_energy", "MeV", energy=True),
        Condition("alignment", "1", categories=2),
        Condition("vertices", "mm", shape=(2, 2)),
    )
    made_up = replace(detector((1,)), conditions=conditions)
    columns = {
        "incident_energy": np.array([1.0, np.e]),
        "alignment": np.array([1.0, 0.0]),
        "vertices": np.ones((2, 2, 2)),
    }
    events = Events(made_up, columns, np.ones((2, 1), dtype=np.float32), np.arange(2, dtype=np.uint64))
    numbers = [[0.0, 0.0, 1.0, 0.5, 0.5, 0.5, 0.5], [1.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.5]]
    np.testing.assert_allclose(condition_columns(events), numbers)
    np.testing.assert_allclose(condition_scale(condition_columns(events)), [0.5, 0.5, 0.5, 1, 1, 1, 1])


def test_neighbours_are_independent_events_and_few_events_have_few() -> None:
    events = replace(showers(6, 0, (2,)), identity=np.array([0, 0, 1, 2, 2, 2], dtype=np.uint64))
    pairs = neighbouring_pairs(events, np.array([0, 0, 0, 1, 1, 1]), 10, seed=0)
    assert sorted(zip(pairs.first, pairs.second, strict=True)) == [(0, 2), (1, 2), (2, 0), (2, 1)]
    np.testing.assert_array_equal(pairs.bin, 0)


def test_equally_near_events_are_all_chosen() -> None:
    """Equal conditions: each of 400 events is a neighbour of 5 others on average, of 20 with probability 1e-6."""
    events = showers(400, 0, (2,))
    events = replace(events, conditions={"incident_energy": np.full(400, 10.0), "angle": np.zeros(400)})
    pairs = neighbouring_pairs(events, np.zeros(400, dtype=np.intp), 5, seed=3)
    counts = np.bincount(pairs.second, minlength=400)
    assert len(pairs) == 2000
    assert counts.max() < 20
    assert not (pairs.first == pairs.second).any()
    other = neighbouring_pairs(events, np.zeros(400, dtype=np.intp), 5, seed=4)
    assert (pairs.second != other.second).any()


def test_means_over_pairs_and_their_error_by_hand() -> None:
    """Deviations −2, −1, 3 (and 0 in the other bin); events 0 to 2 have −2 − 1 + 3, −2 + 3 and −1; 0 and 1 pair twice.

    So Σ S² − Σ r² with the two of 0 and 1 as one: 0² + 1² + 1² − 1² − 1² = 0, less than 1² + 1²; all over 3 pairs.
    """
    first, second = np.array([0, 0, 1, 3]), np.array([1, 2, 0, 4])
    pairs = NeighbourPairs(first, second, np.array([0, 0, 0, 1]), np.column_stack([first, second]))
    values = np.array([1.0, 2.0, 6.0, 8.0])
    np.testing.assert_allclose(pairs.means(values[:, None]), [[3.0], [8.0]])
    assert pairs.mean_error(values, np.array([1.0, 1.0])) == pytest.approx(np.sqrt(2) / 3)
    assert pairs.mean_error(values, np.array([0.5, 9.0])) == pytest.approx(np.sqrt(2) / 6)


# SSIM


def test_window_sums_by_loops() -> None:
    images = np.random.default_rng(0).normal(size=(3, 5, 4))
    sums = [[[image[x : x + 2, y : y + 3].sum() for y in range(2)] for x in range(4)] for image in images]
    np.testing.assert_allclose(window_sums(images, (2, 3)), sums)


@pytest.mark.parametrize("shape", [(30,), (20, 9), (7, 15), (11, 9, 8)])
@pytest.mark.parametrize("occupancy", [0.05, 1.0])
def test_similarity_agrees_with_scikit_image(shape: tuple[int, ...], occupancy: float) -> None:
    generator = np.random.default_rng(1)
    a, b = generator.exponential(0.1, (2, 4, *shape)) * (generator.random((2, 4, *shape)) < occupancy)
    theirs = [
        [
            their_similarity(x, y, win_size=7, data_range=largest, use_sample_covariance=False)
            for largest in DYNAMIC_RANGES
        ]
        for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(structural_similarity.structural_similarity(a, b), theirs, rtol=1e-6, atol=1e-7)


def test_similarity_by_hand() -> None:
    """x = (0, 1), y = (1, 0): means ½, variances ¼, covariance −¼. A single cell: its mean alone."""
    x, y = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])
    c_1, c_2 = 1e-4, 9e-4
    expected = (0.5 + c_1) * (-0.5 + c_2) / ((0.5 + c_1) * (0.5 + c_2))
    assert structural_similarity.structural_similarity(x, y, [1.0]) == pytest.approx(expected)
    single = structural_similarity.structural_similarity(np.array([[2.0]]), np.array([[3.0]]), [1.0])
    assert single == pytest.approx((12 + c_1) / (13 + c_1))


def test_equal_and_empty_images_have_a_similarity_of_one() -> None:
    image = np.random.default_rng(0).random((1, 9, 1, 9))
    for a in (image, np.zeros_like(image)):
        np.testing.assert_allclose(structural_similarity.structural_similarity(a, a), 1.0)
    assert structural_similarity.structural_similarity(image, np.zeros_like(image)).max() < 1


def test_mean_shower_is_too_alike_and_noise_too_unlike() -> None:
    reference = showers(80, 1, (9, 8), (3, 2))
    half = half_the_fluctuations(reference)
    real = STRUCTURAL_SIMILARITY.function(paired(reference, mean_shower(reference)), 0)
    table = {(row["pairs"], row["dynamic_range"]): row["mean"] for row in real.details["similarities"]}
    assert table["generated_generated", 1e-4] == pytest.approx(1.0)
    assert real.value == pytest.approx(1 - table["reference_reference", 1e-4])
    assert real.value > 10 * real.error > 0
    assert STRUCTURAL_SIMILARITY.function(paired(reference, half), 0).value > 0.05
    assert STRUCTURAL_SIMILARITY.function(paired(half, reference), 0).value < -0.05


def test_dynamic_range_means_the_same_at_every_energy_and_in_every_unit() -> None:
    reference, generated = showers(40, 1, (9, 8)), showers(40, 2, (9, 8))
    one = STRUCTURAL_SIMILARITY.function(paired(reference, generated), 0)
    scale = np.where(reference.incident_energy == ENERGIES[0], 1.0, 1024.0)[:, None].astype(np.float32)
    larger = [sample.with_response(sample.response * scale) for sample in (reference, generated)]
    assert STRUCTURAL_SIMILARITY.function(paired(larger[0], larger[1]), 0).value == pytest.approx(one.value)


def test_smaller_dynamic_range_sees_more() -> None:
    reference = showers(40, 1, (9, 8), occupancy=0.1)
    outcome = STRUCTURAL_SIMILARITY.function(paired(reference, reference), 0)
    means = [row["mean"] for row in outcome.details["similarities"] if row["pairs"] == "reference_reference"]
    assert all(larger > smaller for larger, smaller in itertools.pairwise(means))


# MSCN


def test_coefficients_by_hand() -> None:
    """Of 1 and 3, mean 2 and deviation 1; a lone cell is its own mean; empty cells have none."""
    image = np.array([[0.0, 1.0, 3.0, 0, 0, 0, 0, 0, 0, 5.0]])
    expected = [np.nan, -1.0, 1.0, *[np.nan] * 6, 0.0]
    np.testing.assert_allclose(coefficients(image), [expected])


@pytest.mark.parametrize("shape", [(10,), (12, 3), (9, 8, 5), (1, 1)])
def test_coefficients_by_loops(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(2)
    image = generator.exponential(size=shape) * (generator.random(shape) < 0.4)
    expected = np.full(shape, np.nan)
    for place in zip(*np.nonzero(image), strict=True):
        window = image[tuple(slice(max(0, index - 3), index + 4) for index in place)]
        filled = window[window != 0]
        expected[place] = (image[place] - filled.mean()) / (filled.std() + 1e-7)
    np.testing.assert_allclose(coefficients(image[None])[0], expected, atol=2e-6)


def test_distance_of_histograms_agrees_with_scipy() -> None:
    generator = np.random.default_rng(0)
    p, q = generator.integers(0, 5, (2, 6, 8)).astype(float) + np.eye(6, 8)
    theirs = [jensenshannon(a, b, base=2) for a, b in zip(p, q, strict=True)]
    np.testing.assert_allclose(jensen_shannon_distance(p, q), theirs, rtol=1e-9)


def test_distance_of_disjoint_and_of_empty_histograms() -> None:
    p, q = np.array([[1.0, 0], [0, 0], [0, 0], [3, 3]]), np.array([[0, 2.0], [0, 0], [1, 0], [1, 1]])
    np.testing.assert_allclose(jensen_shannon_distance(p, q), [1.0, 0.0, 1.0, 0.0])


def test_bins_reach_beyond_the_reference() -> None:
    """Equal coefficients have a bin of their own; what is below or above all of R has one that R leaves empty."""
    edges = histogram_edges(np.array([0.0, 0.0, 1.0]))
    assert np.searchsorted(edges, [-1.0, 0.0, 0.5, 1.0, 1.1], side="right").tolist() == [0, 1, 1, 2, 3]
    assert len(histogram_edges(np.empty(0))) == 0


def test_coefficients_see_texture_and_not_scale() -> None:
    reference, twin = showers(200, 1, (9, 9)), showers(200, 2, (9, 9))
    floor = MSCN.function(paired(reference, twin), 0)
    scaled = MSCN.function(paired(reference, twin.with_response(twin.response * 3)), 0)
    flat = twin.with_response((twin.response > 0).astype(np.float32))
    uneven = twin.with_response(twin.response**2)
    assert floor.value < 0.1
    assert scaled.value == pytest.approx(floor.value, abs=0.01)
    assert MSCN.function(paired(reference, flat), 0).value > 0.9
    assert MSCN.function(paired(reference, uneven), 0).value > floor.value + 10 * floor.error
    assert MSCN.function(paired(uneven, reference), 0).value != MSCN.function(paired(reference, uneven), 0).value


def test_bins_of_a_large_reference_follow_from_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = paired(showers(200, 1, (9, 9)), showers(200, 2, (9, 9)))
    whole = MSCN.function(pair, 0).value
    monkeypatch.setattr(mscn, "LARGEST_SAMPLE", 1000)
    assert MSCN.function(pair, 0).value == pytest.approx(whole, rel=0.2)


# Diversity


def ratio(reference: Events, generated: Events, space: str = "features") -> float:
    return float(DIVERSITY.function(paired(reference, generated), 0).details["spaces"][space]["ratio"])


@pytest.mark.parametrize("space", ["features", "cells_over_incident_energy"])
def test_diversity_of_less_and_of_more_fluctuations(space: str) -> None:
    reference = showers(100, 1, (6, 5), (4,))
    half = half_the_fluctuations(reference)
    assert ratio(reference, mean_shower(reference), space) == pytest.approx(0, abs=1e-6)
    assert ratio(reference, half, space) == pytest.approx(0.5, rel=1e-5)
    assert ratio(half, reference, space) == pytest.approx(2.0, rel=1e-5)
    assert ratio(reference, showers(100, 2, (6, 5), (4,)), space) == pytest.approx(1, abs=0.1)


def test_diversity_falls_when_events_repeat() -> None:
    """Five showers for each energy: a pair is the same shower with probability 1/5."""
    reference = showers(400, 1, (10, 10))
    chosen = np.random.default_rng(0).integers(0, 5, 400) + np.where(reference.incident_energy > 50, 200, 0)
    repeated = reference.with_response(reference.response[chosen])
    assert ratio(reference, repeated, "cells_over_incident_energy") == pytest.approx(0.8, abs=0.08)
    assert ratio(reference, repeated) < 0.8


def test_diversity_of_equal_samples_has_no_bias() -> None:
    """80 pairs of samples with 30 events in a bin; units of the deviation in R alone would give 1.19 on average."""
    ratios = [ratio(showers(60, 2 * seed, (6, 6)), showers(60, 2 * seed + 1, (6, 6))) for seed in range(80)]
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.02)


def test_diversity_is_a_mean_over_bins_with_fluctuations() -> None:
    reference = showers(40, 1, (6,))
    half = reference.response.copy()
    high = reference.incident_energy > 50
    half[high] = half_the_fluctuations(reference).response[high]
    assert ratio(reference, reference.with_response(half)) == pytest.approx(0.75, rel=1e-5)
    frozen = reference.response.copy()
    frozen[~high] = 1.0
    assert ratio(reference.with_response(frozen), reference.with_response(half)) == pytest.approx(0.5, rel=1e-5)


def test_diversity_of_a_reference_without_fluctuations_is_refused() -> None:
    reference = showers(40, 1, (6,))
    with pytest.raises(ValueError, match="alike"):
        DIVERSITY.function(paired(mean_shower(reference), reference), 0)


# All


@ALL
def test_equal_samples_are_perfect(metric: WholeSampleMetric) -> None:
    reference = showers(60, 1, (9, 8), (4, 1), (5, 4, 3))
    outcome = metric.function(paired(reference, reference), 0)
    assert outcome.value == pytest.approx(metric.perfect, abs=1e-12)
    assert outcome.error == pytest.approx(0, abs=1e-12)


@ALL
def test_same_seed_gives_the_same_number_whatever_the_blocks(
    metric: WholeSampleMetric, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = paired(showers(30, 1, (8, 8), (3,)), showers(30, 2, (8, 8), (3,)))
    first, second = metric.function(pair, 5), metric.function(pair, 5)
    assert (first.value, first.error) == (second.value, second.error)

    def one_by_one(num: int, _num_cells: int) -> Iterator[slice]:
        yield from (slice(start, start + 1) for start in range(num))

    for module in (structural_similarity, mscn, diversity):
        monkeypatch.setattr(module, "blocks", one_by_one)
    assert metric.function(pair, 5).value == pytest.approx(first.value, rel=1e-12)


@ALL
@pytest.mark.parametrize("shapes", [((1,),), ((1, 1), (2, 1)), ((40,),), ((8, 1, 8),)])
def test_small_layers_and_empty_showers_have_an_outcome(
    metric: WholeSampleMetric, shapes: tuple[tuple[int, ...], ...]
) -> None:
    reference, generated = showers(30, 1, *shapes), showers(30, 2, *shapes)
    empty = reference.response.copy()
    empty[::3] = 0
    samples = (reference.with_response(empty), generated.with_response(np.zeros_like(empty)))
    for pair in (paired(reference, generated), paired(samples[0], samples[1])):
        outcome = metric.function(pair, 0)
        assert np.isfinite([outcome.value, outcome.error]).all()


@pytest.mark.parametrize("metric", [STRUCTURAL_SIMILARITY, MSCN], ids=lambda metric: metric.name)
def test_images_without_energy(metric: WholeSampleMetric) -> None:
    filled = showers(20, 1, (4, 4))
    empty = filled.with_response(np.zeros_like(filled.response))
    assert metric.function(paired(empty, empty), 0).value == 0
    if metric is MSCN:
        assert metric.function(paired(empty, filled), 0).value == 1
        assert metric.function(paired(filled, empty), 0).value == 1


@pytest.mark.parametrize("metric", [STRUCTURAL_SIMILARITY, DIVERSITY], ids=lambda metric: metric.name)
def test_events_without_neighbour_are_refused(metric: WholeSampleMetric) -> None:
    one = showers(1, 1, (4, 4))
    with pytest.raises(ValueError, match="events came"):
        metric.function(paired(one, one), 0)


def test_one_event_has_a_histogram() -> None:
    one = showers(1, 1, (4, 4))
    assert MSCN.function(paired(one, one), 0).value == 0


def test_coordinates_are_no_image() -> None:
    events = replace(showers(4, 1, (4, 3)), detector=detector((4, 3), quantity="coordinate"))
    for metric in (STRUCTURAL_SIMILARITY, MSCN):
        assert "no image" in (metric.applies(events) or "")
    assert DIVERSITY.applies(events) is None


@ALL
def test_error_is_the_scatter_over_samples(metric: WholeSampleMetric) -> None:
    """40 pairs of samples: their standard deviation is known to 11 %; near its floor a distance scatters less."""

    def outcome(seed: int) -> tuple[float, float]:
        pair = paired(showers(60, 2 * seed, (6, 6)), showers(60, 2 * seed + 1, (6, 6)))
        result = metric.function(pair, 0)
        return result.value, result.error

    values, errors = np.array([outcome(seed) for seed in range(40)]).T
    assert 0.7 < np.mean(errors) / values.std(ddof=1) < (2.0 if metric is MSCN else 1.5)


def test_blocks_cover_everything() -> None:
    assert list(cells.blocks(5, 10, 20)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(cells.blocks(2, 100, 20)) == [slice(0, 1), slice(1, 2)]
