"""The studies of generated patterns and refined traces: what is trained, tested, drawn and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_adapters.layouts.airshower_refinement import SIMULATED_TRACES
from data_adapters.simulators.airshower import DATA, SIMULATION, simulate
from leaderboard.airshower import energy_study, page, plots, samples
from leaderboard.airshower.energy_study import ENERGY_EDGES_EEV, Resolution, divided, measured
from leaderboard.airshower.refiner_study import refiner_study
from leaderboard.airshower.wgan_study import WganStudy, wgan_study
from metrics.networks import regression
from metrics.networks.training import Schedule
from models.building import build_model

FEW = 260
TINY_REFINER = {
    "residual_blocks": 1,
    "refiner_maps": 2,
    "encoder_maps": 2,
    "critic_maps": 2,
    "critic_layers": 1,
    "training_ratio": 1,
    "iterations_per_epoch": 1,
    "batch_size": 8,
}
TINY_WGAN = {"generator_maps": 2, "critic_maps": 2, "constrainer_maps": 2, "training_ratio": 1, "seed_units": 4}


@pytest.fixture
def quick_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """AixNet for two epochs."""
    short = Schedule(1e-3, 1e-4, batch_size=32, most_epochs=2, patience=2, most_shown=10_000)
    monkeypatch.setitem(regression.SCHEDULES, "aixnet", short)


def test_patterns_are_the_integrated_data() -> None:
    events = samples.patterns(30, seed=3)
    showers = simulate(DATA, 30, seed=3)
    np.testing.assert_allclose(events.response.reshape(30, 9, 9), showers.traces.sum(axis=-1), rtol=1e-6)
    np.testing.assert_array_equal(events.incident_energy, showers.energy)


def test_pairs_are_of_the_same_showers() -> None:
    events = samples.data_and_simulation(20, seed=3, paired=True)
    np.testing.assert_array_equal(events.response.reshape(-1, 9, 9, 80), simulate(DATA, 20, seed=3).traces)
    np.testing.assert_array_equal(events.conditions[SIMULATED_TRACES], simulate(SIMULATION, 20, seed=3).traces)


def test_unpaired_samples_have_one_spectrum_and_no_shower_in_common() -> None:
    events = samples.data_and_simulation(40, seed=3, paired=False)
    simulation = simulate(SIMULATION, 40, seed=3, first=40)
    order = np.argsort(simulation.energy)
    np.testing.assert_array_equal(events.conditions[SIMULATED_TRACES], simulation.traces[order])
    assert (np.diff(events.incident_energy) >= 0).all()
    assert not np.isin(simulation.energy, events.incident_energy).any()


def test_no_event_is_tested_that_was_trained_with() -> None:
    parts = divided(100, seed=1)
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(together.tolist()) == list(range(100))
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (70, 10, 20)


def test_bias_and_resolution_of_known_residuals() -> None:
    random = np.random.default_rng(1)
    true = random.uniform(1, 100, 20_000)
    residuals = random.normal(0.05, 0.1, 20_000)
    study = measured("known", true, true * (1 + residuals), seed=1)
    np.testing.assert_allclose(study.bias, 0.05, atol=0.01)
    np.testing.assert_allclose(study.resolution, 0.1, atol=0.01)
    number = np.histogram(true, ENERGY_EDGES_EEV)[0]
    np.testing.assert_allclose(study.bias_error, 0.1 / np.sqrt(number), rtol=0.2)
    np.testing.assert_allclose(study.resolution_error, 0.1 / np.sqrt(2 * number), rtol=0.2)
    assert study.absolute_bias[0] == pytest.approx(0.05, abs=0.005)


@pytest.mark.usefixtures("quick_judge")
def test_each_study_is_of_what_its_label_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told apart by what the networks are trained on, and asked about."""
    sample = samples.data_and_simulation(FEW, seed=4, paired=True)
    simulated = sample.conditions[SIMULATED_TRACES].reshape(FEW, -1).astype(np.float32)
    refined = simulated * 2
    names = {id_of(sample.response): "data", id_of(simulated): "simulation", id_of(refined): "refined simulation"}
    asked: list[str] = []
    known = regression.EnergyReconstruction.logarithms

    def logarithms(self: Any, tested: Any) -> Any:
        asked.append(f"trained on {names[id_of(self.training.response)]}, tested on {names[id_of(tested.response)]}")
        return known(self, tested)

    monkeypatch.setattr(regression.EnergyReconstruction, "logarithms", logarithms)
    studies = energy_study.energy_study(sample, simulated, refined, seed=1)
    assert list(studies) == ["a", "b", "c", "d"]
    assert sorted(asked) == sorted(study.label for study in studies.values())
    assert studies["c"].label == "trained on refined simulation, tested on data"
    assert all(len(study.true) == FEW // 5 for study in studies.values())


def id_of(response: np.ndarray) -> float:
    return float(response.sum(dtype=np.float64))


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    marks = [
        f"<!-- begin: python benchmarks/airshower_models.py, {p} -->\nold\n<!-- end: {p} -->"
        for p in ("wgan", "refiner")
    ]
    (tmp_path / page.PAGE).write_text("\n".join(["before", marks[0], "between", marks[1], "after"]))
    return tmp_path


@pytest.mark.usefixtures("quick_judge")
def test_the_study_of_the_wgan_is_drawn_and_written(docs: Path) -> None:
    steps: list[str] = []
    study = wgan_study(TINY_WGAN, 1, events=FEW, epochs=2, generated=50, on_step=steps.append)
    assert study.steps == [4, 8]
    assert {len(values) for values in study.losses.values()} == {2}
    assert (
        study.energy.shape == study.by_constrainer.shape == study.by_judge.shape == study.data_by_judge.shape == (50,)
    )
    assert steps[-1] == "AixNet on data"
    page.write_page(docs, {"wgan": page.write_wgan(docs, study)})
    text = (docs / page.PAGE).read_text()
    assert "old" in text  # of the refiner
    assert "| generated | independent AixNet" in text
    drawn = {path.name for path in (docs / page.FIGURES).iterdir()}
    assert drawn == {"wgan_patterns.svg", "wgan_energy.svg", "wgan_losses.svg"}


@pytest.mark.usefixtures("quick_judge")
def test_the_study_of_a_refiner_is_drawn_and_written(docs: Path) -> None:
    study = refiner_study(TINY_REFINER, 1, trained_events=20, events=FEW, epochs=2)
    assert study.steps == [1, 2]
    assert set(study.scores) == {"mean event of data", "unrefined simulation", "refined simulation"}
    page.write_page(docs, {"refiner": page.write_refiner(docs, study)})
    text = (docs / page.PAGE).read_text()
    assert text.count("| (c) trained on refined simulation, tested on data | bias [%] |") == 1
    assert (docs / page.FIGURES / "refiner_energy.svg").exists()
    assert (docs / page.FIGURES / "refiner_losses.svg").exists()


@pytest.mark.usefixtures("quick_judge")
def test_a_trained_refiner_is_taken_from_its_checkpoint(tmp_path: Path) -> None:
    model = build_model("airshower-refiner", TINY_REFINER, samples.data_and_simulation(20, 1, paired=False), 1)
    model.save(tmp_path)
    study = refiner_study(TINY_REFINER, 1, checkpoint=tmp_path, events=FEW)
    assert study.losses == {}
    assert study.scores["refined simulation"]["score"] != study.scores["unrefined simulation"]["score"]


def test_a_page_without_its_marks_is_refused(tmp_path: Path) -> None:
    (tmp_path / page.PAGE).write_text("nothing")
    with pytest.raises(ValueError, match="marks of wgan are missing"):
        page.write_page(tmp_path, {"wgan": "new"})


def test_correlations_stand_in_the_figure() -> None:
    energy = np.linspace(1, 100, 50)
    patterns = np.ones((4, 81), np.float32)
    study = WganStudy({}, [1], energy, energy, 101 - energy, energy, patterns, patterns)
    titles = [axes.get_title(loc="left") for axes in plots.reconstruction_figure(study).axes]
    assert [title.split()[-1] for title in titles] == ["1.000", "-1.000", "1.000"]


def test_percentages_in_the_table() -> None:
    values = np.full(6, 0.1234)
    study = Resolution("x", values, values, -values, values / 10, values, values / 10, (0.1, 0.01), (0.2, 0.02))
    table = page.energy_table({"a": study})
    assert table.count("-12.3 ± 1.2") == 6
    assert "10.0 ± 1.0 (of its size)" in table
    assert "20.0 ± 2.0" in table


def test_the_page_that_ships_is_of_these_parts() -> None:
    text = (Path(__file__).parents[2] / "docs" / page.PAGE).read_text()
    for part in ("wgan", "refiner"):
        assert f"<!-- begin: python benchmarks/airshower_models.py, {part} -->" in text
