"""Observables of calorimeter showers, of showers small enough to be worked out by hand."""

# Axes: N events, X, Y, Z cells.
from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from data_adapters.datasets import DATASETS
from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import Events
from data_adapters.layouts.atlas_hdf5 import ATLAS_PHOTONS
from data_adapters.layouts.calochallenge import PUBLISHED, high_level_features, published_detector
from data_adapters.layouts.clic_3dgan import CLIC_ELECTRONS, measured_angle
from metrics import observables as observables_package
from metrics.observables import OBSERVABLES, observables_of, observe
from metrics.observables.octaves import octave_edges
from metrics.observables.sample import Sample

ENERGY = Condition("incident_energy", "MeV", energy=True, bins=True)
THETA = Condition("theta", "rad")
# Cells that are no cubes, and a different number of them along each axis.
X, Y, Z = (Axis.regular(name, n, size, "mm") for name, n, size in (("x", 4, 5.0), ("y", 3, 2.0), ("z", 6, 3.0)))
VOLUME = Detector("volume", "Volume", (Layer("cells", (X, Y, Z)),), (ENERGY, THETA), threshold=2.0)
FLAT = dataclasses.replace(VOLUME, name="flat", layers=(Layer("cells", (X, Y, Axis.regular("z", 1, 3.0, "mm"))),))
IMAGE = dataclasses.replace(VOLUME, name="image", layers=(Layer("cells", (Y, X)),))
ONE_CELL = dataclasses.replace(VOLUME, name="one cell", layers=(Layer("cells", (Axis.numbered("x", 1),)),))
ALIKE = dataclasses.replace(VOLUME, name="alike", layers=tuple(Layer(f"layer_{i}", (X, Y), 1.0 + i) for i in range(5)))
DIFFERENT = dataclasses.replace(
    VOLUME, name="different", layers=(Layer("front", (X, Y)), Layer("middle", (X,)), Layer("back", (Y,)))
)
RINGS = dataclasses.replace(
    VOLUME,
    name="rings",
    threshold=0.5,
    conditions=(ENERGY,),
    layers=(
        Layer("layer_0", (Axis.regular("alpha", 4, math.pi / 2, "rad"), Axis("r", (0.0, 10.0, 20.0), "mm"))),
        Layer("layer_1", (Axis.regular("alpha", 1, 2 * math.pi, "rad"), Axis("r", (0.0, 10.0, 30.0), "mm"))),
    ),
)
DETECTORS = (VOLUME, FLAT, IMAGE, ONE_CELL, ALIKE, DIFFERENT, RINGS, ATLAS_PHOTONS)
every_detector = pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)


def events_of(detector: Detector, response: NDArray[np.floating], energy: float = 8.0, theta: float = 1.5) -> Events:
    """Showers of any shape that begins with N."""
    num = len(response)
    known = {"incident_energy": energy, "theta": theta}
    conditions = {condition.name: np.full(num, known.get(condition.name, 0.0)) for condition in detector.conditions}
    flat = np.asarray(response, dtype=np.float32).reshape(num, -1)
    return Events(detector, conditions, flat, np.arange(num, dtype=np.uint64))


def random_events(detector: Detector, num: int, energy: float = 8.0) -> Events:
    random = np.random.default_rng(3)
    response = random.exponential(size=(num, detector.num_cells)) * (random.random((num, detector.num_cells)) < 0.4)
    return events_of(detector, response, energy)


def value(events: Events, name: str) -> NDArray[np.float64]:
    row: NDArray[np.float64] = observables_of(events.detector)[name].function(Sample(events))[0]
    return row


@pytest.fixture
def two_cells() -> Events:
    """1 MeV in cell (0, 0, 0) and 3 MeV in cell (3, 2, 5) of an electron of 8 MeV."""
    shower = np.zeros((1, 4, 3, 6))
    shower[0, 0, 0, 0], shower[0, 3, 2, 5] = 1.0, 3.0
    return events_of(VOLUME, shower)


# A quarter at one end a, three quarters at the other b: mean a/4 + 3b/4, standard deviation √3/4 (b − a).
TWO_CELLS = {
    "response": 0.5,
    "hits": 1 / 72,  # 1 MeV is below the threshold of 2 MeV
    "centre_x": 3.75,  # cells at −7.5 and 7.5 mm
    "width_x": math.sqrt(3) / 4 * 15,
    "centre_y": 1.0,  # −2 and 2 mm
    "width_y": math.sqrt(3) / 4 * 4,
    "centre_z": 3.75,
    "width_z": math.sqrt(3) / 4 * 15,
    "fraction_z_0": 0.25,
    "fraction_z_1": 0.0,
    "fraction_z_2": 0.0,
    "fraction_z_3": 0.0,
    "fraction_z_4": 0.0,
    "fraction_z_5": 0.75,
    "r1": 0.25,
    "r2": 0.0,
    "r3": 0.75,
    "maximum_cell": 3 / 8,
    # Both layers lie on one line: 4 mm in y over 15 mm in x and 15 mm in z.
    "measured_angle": math.pi / 2 - math.atan(4 / math.hypot(15, 15)),
    "angle_difference": math.pi / 2 - math.atan(4 / math.hypot(15, 15)) - 1.5,
    "condition_theta": 1.5,
}


def test_every_distribution_of_two_cells(two_cells: Events) -> None:
    distributions = {o.name for o in observables_of(VOLUME).values() if o.kind == "distribution"}
    assert distributions == set(TWO_CELLS)
    for name, expected in TWO_CELLS.items():
        assert value(two_cells, name) == pytest.approx(expected, abs=1e-6), name


def test_every_profile_of_two_cells(two_cells: Events) -> None:
    spectrum, sparsity = np.zeros(30), np.zeros(30)
    spectrum[10], spectrum[11] = 1, 1  # 1 ≤ E < 2 and 2 ≤ E < 4 MeV; the first octave begins at 2^-10
    sparsity[:11], sparsity[11] = 2 / 72, 1 / 72
    expected: dict[str, list[float] | NDArray[np.float64]] = {
        "profile_x": [1 / 8, 0, 0, 3 / 8],
        "profile_y": [1 / 8, 0, 3 / 8],
        "profile_z": [1 / 8, 0, 0, 0, 0, 3 / 8],
        "cell_spectrum": spectrum,
        "sparsity": sparsity,
    }
    profiles = {name: o for name, o in observables_of(VOLUME).items() if o.kind == "profile"}
    assert set(profiles) == set(expected)
    for name, numbers in expected.items():
        np.testing.assert_allclose(value(two_cells, name), numbers, rtol=1e-12)
        assert len(profiles[name].edges) == len(numbers) + 1


@every_detector
@pytest.mark.parametrize("num", [1, 3])
def test_empty_showers_are_finite(detector: Detector, num: int) -> None:
    empty = events_of(detector, np.zeros((num, detector.num_cells)), energy=1024.0)
    for name, observable in observables_of(detector).items():
        numbers = observable.function(Sample(empty))
        assert len(numbers) == num
        assert np.isfinite(numbers).all(), name


@every_detector
def test_an_event_alone_gives_what_it_gives_among_others(detector: Detector) -> None:
    events = random_events(detector, 5, energy=1024.0)
    together = observe(events, observables_of(detector))
    for name, numbers in observe(events.select(np.array([3])), observables_of(detector)).items():
        np.testing.assert_allclose(numbers[0], together[name][3], rtol=1e-12, atol=1e-12, err_msg=name)
        assert np.isfinite(together[name]).all(), name


@every_detector
def test_blocks_do_not_matter(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    events = random_events(detector, 7, energy=1024.0)
    together = observe(events, observables_of(detector))
    monkeypatch.setattr(observables_package, "CELLS_AT_A_TIME", 2 * detector.num_cells)
    for name, numbers in observe(events, observables_of(detector)).items():
        np.testing.assert_allclose(numbers, together[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_every_calorimeter_family_applies_to_some_detector_here() -> None:
    families = (
        "response layer_energy shower_depth lateral_shape hits along_axes conditions layer_fraction "
        "longitudinal_parts maximum_cell cell_spectrum sparsity measured_angle calochallenge_features"
    )
    for name in families.split():
        assert any(OBSERVABLES[name].of(detector) for detector in DETECTORS), name


def test_projections_agree_with_sums_over_all_cells() -> None:
    events = random_events(VOLUME, 6)
    cells = events.response.reshape(6, 4, 3, 6).astype(np.float64)
    for name, others in (("x", (2, 3)), ("y", (1, 3)), ("z", (1, 2))):
        profile = observables_of(VOLUME)[f"profile_{name}"].function(Sample(events))
        np.testing.assert_allclose(profile, cells.sum(axis=others) / 8, rtol=1e-12)


def test_layers_that_differ_keep_their_own_projections() -> None:
    events = random_events(DIFFERENT, 6)
    front = events.response[:, :12].reshape(6, 4, 3).astype(np.float64)
    observables, sample = observables_of(DIFFERENT), Sample(events)
    np.testing.assert_allclose(observables["profile_front_y"].function(sample), front.sum(axis=1) / 8, rtol=1e-12)
    np.testing.assert_allclose(observables["profile_front_x"].function(sample), front.sum(axis=2) / 8, rtol=1e-12)
    np.testing.assert_allclose(observables["profile_middle_x"].function(sample), events.response[:, 12:16] / 8)


def test_small_energies_are_not_lost_in_large_ones() -> None:
    """2^25 + 1 is no float32: a sum in single precision would be 2^25."""
    shower = np.ones((1, 4, 3, 6))
    shower[0, 0, 0, 0] = 2.0**25
    events = events_of(VOLUME, shower)
    large = 2.0**25 - 1
    assert value(events, "response") * 8 == large + 72
    np.testing.assert_array_equal(value(events, "profile_x") * 8, [large + 18, 18, 18, 18])
    np.testing.assert_array_equal(value(events, "profile_y") * 8, [large + 24, 24, 24])
    np.testing.assert_array_equal(value(events, "profile_z") * 8, [large + 12, 12, 12, 12, 12, 12])


def test_layer_fractions_and_parts_of_25_layers() -> None:
    """Layer i holds i + 1 of 325: the first 8 hold 36, the middle 9 hold 117, the last 8 hold 172."""
    shower = np.zeros((1, 51, 51, 25))
    shower[0, 7, 40] = np.arange(1, 26)
    events = events_of(CLIC_ELECTRONS, shower, energy=100.0)
    assert [value(events, name) * 325 for name in ("r1", "r2", "r3")] == pytest.approx([36, 117, 172])
    assert value(events, "fraction_z_24") == pytest.approx(25 / 325)
    assert value(events, "fraction_z_0") == pytest.approx(1 / 325)


def test_fractions_depth_and_parts_of_separate_layers() -> None:
    """Five layers are divided 2, 1, 2 (1.5 layers and more to each third); depths are 1, 2, 3, 4, 5 X0."""
    shower = np.zeros((1, 5, 12))
    shower[0, :, 4] = [1, 2, 3, 4, 0]
    events = events_of(ALIKE, shower)
    assert value(events, "fraction_layer_3") == pytest.approx(0.4)
    assert value(events, "energy_layer_3") == pytest.approx(0.5)
    assert value(events, "shower_depth") == pytest.approx((1 + 4 + 9 + 16) / 10)
    assert [value(events, name) for name in ("r1", "r2", "r3")] == pytest.approx([0.3, 0.3, 0.4])


def test_a_single_layer_has_neither_fractions_nor_parts() -> None:
    for detector in (FLAT, IMAGE, ONE_CELL):
        assert not [name for name in observables_of(detector) if name.startswith(("fraction", "r1", "energy_"))]


def test_signed_responses_have_no_energies() -> None:
    signed = dataclasses.replace(VOLUME, signed=True, threshold=0.0)
    assert set(observables_of(signed)) == {"condition_theta"}


def test_octaves_of_edges_zero_underflow_and_overflow() -> None:
    edges = np.array(octave_edges(IMAGE))
    assert (edges[0], edges[-1]) == (2.0**-10, 2.0**20)  # MeV: 0.98 keV to 1.05 TeV
    below = np.nextafter(np.float32(edges[5]), np.float32(0))
    cells = [0, -0.0, 1e-30, edges[0], edges[5], below, edges[5] * 1.5, edges[29], 1e30, 0, 0, 0]
    counts = value(events_of(IMAGE, np.array([cells])), "cell_spectrum")
    expected = np.zeros(30)
    expected[0] = 2  # 1e-30 and the first edge
    expected[4] = 1  # just below an edge
    expected[5] = 2
    expected[29] = 2
    np.testing.assert_array_equal(counts, expected)


def test_octaves_agree_with_a_histogram_in_the_unit_of_the_detector() -> None:
    random = np.random.default_rng(0)
    cells = np.exp(random.normal(-9, 4, size=(40, CLIC_ELECTRONS.num_cells // 25))).astype(np.float32)
    response = np.zeros((40, CLIC_ELECTRONS.num_cells), dtype=np.float32)
    response[:, : cells.shape[1]] = cells
    events = events_of(CLIC_ELECTRONS, response, energy=100.0)
    edges = np.array(octave_edges(CLIC_ELECTRONS))
    assert edges[0] == 2.0**-20  # GeV
    found = observables_of(CLIC_ELECTRONS)["cell_spectrum"].function(Sample(events))
    clipped = np.clip(cells, edges[0], np.nextafter(edges[-1], 0))
    np.testing.assert_array_equal(found, [np.histogram(row, edges)[0] for row in clipped])
    above = observables_of(CLIC_ELECTRONS)["sparsity"].function(Sample(events))
    np.testing.assert_allclose(above[:, 7], (cells >= edges[7]).sum(axis=1) / CLIC_ELECTRONS.num_cells, rtol=1e-12)
    assert (np.diff(above, axis=1) <= 0).all()


def test_signals_and_coordinates_have_no_spectrum_in_energy() -> None:
    names = observables_of(dataclasses.replace(IMAGE, unit="VEM", quantity="signal"))
    assert not {"cell_spectrum", "sparsity", "maximum_cell"} & set(names)


def test_measured_angle_agrees_with_the_layout_on_cubes() -> None:
    size = 5.1
    axes = tuple(Axis.regular(name, cells, size, "mm") for name, cells in (("x", 7), ("y", 5), ("z", 6)))
    cubes = dataclasses.replace(VOLUME, layers=(Layer("cells", axes),))
    events = random_events(cubes, 20)
    response = events.response.copy()
    response.reshape(20, 7, 5, 6)[:, :, :, 2] = 0  # a layer without energy does not count
    events = events.with_response(response)
    expected = measured_angle(response.reshape(20, 7, 5, 6))
    np.testing.assert_allclose(observe(events, ["measured_angle"])["measured_angle"], expected, rtol=1e-12)


def test_measured_angle_is_that_of_a_straight_line_in_cells_that_are_no_cubes() -> None:
    """One cell of 2 mm in y for each of 3 mm in z; then the same downwards."""
    shower = np.zeros((2, 4, 3, 6))
    for step in range(3):
        shower[0, 1, step, step] = shower[1, 1, 2 - step, step] = 1.0 + step
    angles = observe(events_of(VOLUME, shower), ["measured_angle", "angle_difference"])
    slope = math.atan(2 / 3)
    np.testing.assert_allclose(angles["measured_angle"], [math.pi / 2 - slope, math.pi / 2 + slope], rtol=1e-9)
    np.testing.assert_allclose(angles["angle_difference"], angles["measured_angle"] - 1.5)


def test_layers_count_for_the_angle_with_their_depth() -> None:
    """Layers 0, 2, 5 of equal energy; worked out with y at 0, 1, 2 cells (1, 3, 5 mm) and z at 1.5, 7.5, 16.5 mm."""
    shower = np.zeros((1, 4, 3, 6))
    shower[0, 2, 0, 0] = shower[0, 2, 1, 2] = shower[0, 2, 2, 5] = 1.0
    y, z = np.array([1.0, 3.0, 5.0]), np.array([1.5, 7.5, 16.5])
    slopes = np.arctan((y - 3) / (z - 8.5))  # barycentre at (3, 8.5)
    expected = math.pi / 2 - (slopes * z).sum() / z.sum()
    assert value(events_of(VOLUME, shower), "measured_angle") == pytest.approx(expected)


def test_an_empty_event_has_no_angle() -> None:
    empty = events_of(VOLUME, np.zeros((1, 72)))
    assert value(empty, "measured_angle") == 0
    assert value(empty, "angle_difference") == -1.5


def test_the_angle_needs_lengths_along_x_y_z() -> None:
    transposed = dataclasses.replace(VOLUME, layers=(Layer("cells", (Z, X, Y)),))
    numbered = dataclasses.replace(VOLUME, layers=(Layer("cells", (X, Y, Axis.numbered("z", 6))),))
    for detector in (transposed, numbered, IMAGE, ALIKE):
        assert not OBSERVABLES["measured_angle"].of(detector)
    untold = dataclasses.replace(VOLUME, conditions=(ENERGY,))
    assert [o.name for o in OBSERVABLES["measured_angle"].of(untold)] == ["measured_angle"]


def test_features_of_two_rings() -> None:
    """2 MeV at r = 5, α = −135° and 1 MeV at r = 15, α = 45°; in the second layer 1 MeV at r = 20 mm.

    On the diagonal both coordinates are −5/√2 and 15/√2: mean 5/(3√2), deviation √(2/9) · 20/√2 = 20/3.
    """
    response = np.zeros((1, 10))
    response[0, 0], response[0, 5], response[0, 9] = 2.0, 1.0, 1.0
    events = events_of(RINGS, response)
    diagonal = 5 / (3 * math.sqrt(2))
    expected = {
        "centre_r_layer_0": 25 / 3,
        "width_r_layer_0": 10 * math.sqrt(2 / 9),
        "centre_eta_layer_0": diagonal,
        "centre_phi_layer_0": diagonal,
        "width_eta_layer_0": 20 / 3,
        "width_phi_layer_0": 20 / 3,
        "sparsity_layer_0": 6 / 8,
        "centre_r_layer_1": 20.0,
        "width_r_layer_1": 0.0,
        "sparsity_layer_1": 1 / 2,
    }
    assert {o.name for o in OBSERVABLES["calochallenge_features"].of(RINGS)} == set(expected)
    for name, number in expected.items():
        assert value(events, name) == pytest.approx(number, abs=1e-6), name


@pytest.mark.parametrize("name", [name for name in PUBLISHED if not name.endswith("3")])
def test_features_of_published_detectors_agree_with_their_layout(name: str) -> None:
    detector = published_detector(name)
    events = random_events(detector, 4, energy=65536.0)
    expected = high_level_features(events.response, detector)
    family = OBSERVABLES["calochallenge_features"].of(detector)
    assert family
    for observable in family:
        quantity, layer = observable.name.split("_layer_")
        numbers = getattr(expected, quantity)[f"layer_{layer}"]
        np.testing.assert_array_equal(observable.function(Sample(events)), numbers, err_msg=observable.name)


@pytest.mark.parametrize("name", ["alice-tracks-geant4", "lhcb-pions-geant4", "airshower-data"])
def test_other_detectors_have_no_rings_and_no_angle(name: str) -> None:
    detector = DATASETS[name].detector
    for family in ("calochallenge_features", "measured_angle", "layer_fraction", "longitudinal_parts"):
        assert OBSERVABLES[family].of(detector) == ()
