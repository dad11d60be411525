"""What the plots show."""

import json

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from metrics import FAULTS, histograms_for_plots, mean_images, response_against_energy
from metrics.histograms import event_fractions, plot_edges
from metrics.judge import Judge
from metrics.observables import observe
from metrics.scorecards import SCORECARDS


def test_every_observable_at_every_energy(reference: Events, twin: Events, judge: Judge) -> None:
    plots = histograms_for_plots(reference, FAULTS["energy_scale"].inject(twin), twin.response)
    assert {(plot["observable"], plot["energy_mev"]) for plot in plots} == {
        (name, energy)
        for name in (*judge.scorecard.distributions, *judge.scorecard.profiles)
        for energy in judge.scorecard.condition_bins
    }
    for plot in plots:
        bins = len(plot["edges"]) - 1
        curves = ("reference", "reference_error", "generated", "generated_error", "floor")
        assert {len(plot[curve]) for curve in curves} == {bins}
        if plot["kind"] == "distribution":
            assert sum(plot["reference"]) == pytest.approx(1, rel=1e-4)
            assert sum(plot["generated"]) == pytest.approx(1, rel=1e-4)
    json.dumps(plots, allow_nan=False)


def test_tests_are_those_of_the_judgement(reference: Events, twin: Events, judge: Judge) -> None:
    response = FAULTS["dropped_mode"].inject(twin)
    plots = histograms_for_plots(reference, response)
    assert plots[0]["floor"] is None
    keys = ("observable", "chi2", "ndf", "p_value")
    shown = [{key: plot[key] for key in keys} | {"energy": plot["energy_mev"]} for plot in plots]
    assert shown == judge.judge(response).chi2


def test_a_profile_sums_to_the_layer_energy(reference: Events, twin: Events) -> None:
    plots = {(plot["observable"], plot["energy_mev"]): plot for plot in histograms_for_plots(reference, twin.response)}
    profile = plots["lateral_phi_middle", 65536.0]
    expected = observe(reference, ["energy_middle"])["energy_middle"][reference.incident_energy == 65536].mean()
    assert sum(profile["reference"]) == pytest.approx(expected, rel=1e-4)
    assert profile["edges_unit"] == "rad"


def test_overflow_is_in_the_end_bins() -> None:
    fractions, errors = event_fractions(np.array([-5.0, 0.5, 1.5, 99.0]), np.array([0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(fractions, [0.5, 0.5])
    np.testing.assert_allclose(errors, np.sqrt(2) / 4)


def test_edges_around_a_constant_have_a_width() -> None:
    edges = plot_edges(np.full(20, 3.0))
    assert len(edges) == 26
    assert edges[0] < 3 < edges[-1]


def test_mean_images(reference: Events, twin: Events) -> None:
    images = mean_images(reference, twin.response)
    layer = images[6]["layers"][2]
    assert (images[6]["energy_mev"], layer["layer"]) == (65536.0, "middle")
    image = np.array(layer["reference"])
    assert image.shape == (7, 7)
    assert tuple(map(int, np.unravel_index(image.argmax(), image.shape))) == (3, 3)
    assert np.array(images[0]["layers"][1]["generated"]).shape == (56, 3)
    assert len(layer["row_edges"]) == len(layer["column_edges"]) == 8
    json.dumps(images, allow_nan=False)


def test_response_against_energy(reference: Events, twin: Events) -> None:
    shifted = FAULTS["energy_scale"].inject(twin)
    mean, resolution = response_against_energy(reference, shifted, twin.response)
    np.testing.assert_allclose(np.array(mean["generated"]) / np.array(mean["floor"]), 1.03, rtol=1e-4)
    np.testing.assert_allclose(resolution["generated"], resolution["floor"], rtol=1e-4)
    assert (mean["x_label"], mean["y_label"]) == ("incident energy", "Mean of E / E_inc")
    assert resolution["reference"][0] > 3 * resolution["reference"][-1]  # it improves with the energy
    without = response_against_energy(reference, np.zeros_like(shifted))
    assert without[0]["floor"] is None
    assert without[1]["generated"] == [0.0] * 9
    json.dumps(without, allow_nan=False)


def test_the_response_of_tracks_is_that_of_their_transverse_energy() -> None:
    tracks = DATASETS["lhcb-pions-geant4"].split("validation")
    scorecard = SCORECARDS["lhcb-tracks-v1"]
    mean, _ = response_against_energy(tracks, tracks.response, scorecard=scorecard)
    assert mean["x_label"] == "transverse energy of the particles"
    assert mean["y_label"] == "Mean, cells / particles"
