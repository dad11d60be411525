"""Events for conditions of one's own: which are allowed, what is drawn, and that memory does not grow with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_adapters.adapters import open_events
from data_adapters.condition_file import ConditionTable
from data_adapters.datasets import ATLAS_PHOTONS_GEANT4
from leaderboard.generation import BLOCK, OutOfRange, check_range, drawn_conditions, generated_events
from leaderboard.records import write_entry
from leaderboard.trained import Trained, find_trained
from search.engine.arena import main
from search.engine.generate_command import energy_in
from tests.leaderboard.exports import trained_on_disk

DETECTOR = ATLAS_PHOTONS_GEANT4.detector
RANGE = {"incident_energy": (1024.0, 262144.0), "alignment_eta": (0.0, 1.0), "alignment_phi": (0.0, 3.0)}


@pytest.fixture(scope="module")
def gan(tmp_path_factory) -> Trained:
    return trained_on_disk("atlas-gan", tmp_path_factory.mktemp("gan"))


class Recorder:
    """A generator that gives its seed and remembers how many events it was asked for at once."""

    detector = DETECTOR

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def generate(self, conditions, seed):
        self.sizes.append(len(conditions["incident_energy"]))
        return np.full((self.sizes[-1], DETECTOR.num_cells), seed % 1000, dtype=np.float32)


def table(num_events: int, energy: float = 50_000.0) -> ConditionTable:
    return drawn_conditions(DETECTOR, num_events, {"incident_energy": energy}, RANGE, seed=1)


def test_events_are_made_block_by_block_whoever_reads_them():
    generator = Recorder()
    source = generated_events(generator, table(2 * BLOCK + 500), 7, "x", "about")
    whole = source.read().response
    assert max(generator.sizes) <= BLOCK
    assert len(np.unique(whole[:, 0])) == 3  # each block has a seed of its own
    np.testing.assert_array_equal(source.read(BLOCK - 10, BLOCK + 10).response, whole[BLOCK - 10 : BLOCK + 10])
    again = generated_events(generator, table(2 * BLOCK + 500), 8, "x", "about").read().response
    assert not np.array_equal(again, whole)


def test_what_is_not_given_is_drawn_from_the_trained_range():
    drawn = drawn_conditions(DETECTOR, 500, {}, RANGE, seed=1).columns
    assert 1024 <= drawn["incident_energy"].min() < 10_000 < 200_000 < drawn["incident_energy"].max() <= 262144
    assert set(drawn["alignment_phi"]) == {0.0, 1.0, 2.0, 3.0}
    assert set(drawn["alignment_eta"]) == {0.0, 1.0}
    with pytest.raises(ValueError, match="give it with --set incident_energy=…"):
        drawn_conditions(DETECTOR, 5, {}, {}, seed=1)


@pytest.mark.parametrize(
    ("energy", "fine"), [(1024.0, True), (262144.0 * (1 + 1e-8), True), (1000.0, False), (3e5, False)]
)
def test_outside_the_trained_range_nothing_is_promised(energy, fine):
    if fine:
        check_range(table(3, energy), RANGE)
        return
    with pytest.raises(OutOfRange, match="incident_energy of 3 of 3 events lies outside 1024 to 262144 MeV"):
        check_range(table(3, energy), RANGE)


@pytest.mark.parametrize(
    ("words", "unit", "value"),
    [
        ("50", "MeV", 50_000.0),
        ("800MeV", "GeV", 0.8),
        ("10 EeV", "EeV", 10.0),
        ("1e3GeV", "TeV", 1.0),
        ("5eV", "keV", 5e-3),
    ],
)
def test_energies_have_units(words, unit, value):
    assert energy_in(words, unit) == pytest.approx(value)


@pytest.mark.parametrize("words", ["", "GeV", "5 Gev", "5..GeV", "1 2"])
def test_what_is_no_energy_is_said(words):
    with pytest.raises(ValueError, match=r"(--energy)|(no unit of energy)"):
        energy_in(words, "MeV")


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["generate", *map(str, arguments)])
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_the_command_writes_events_that_say_where_they_come_from(gan, tmp_path, capsys):
    out = tmp_path / "showers.h5"
    assert run(gan.folder, "--energy", 50, "--n", 30, "--set", "alignment_eta=1", "--out", out) == 0
    assert "30 events written" in capsys.readouterr().out
    events = open_events(out)
    assert set(events.conditions["incident_energy"]) == {50_000.0}
    assert set(events.conditions["alignment_eta"]) == {1.0}
    with h5py.File(out) as file:
        about = file.attrs["provenance"]
    assert about.endswith("(atlas-gan.test), seed 1, with the seed 1. Not full simulation.")
    again = tmp_path / "again.root"
    assert run(gan.folder, "--conditions", out, "--out", again) == 0
    np.testing.assert_array_equal(open_events(again).read().response, events.read().response)
    other = tmp_path / "other.h5"
    assert run(gan.folder, "--conditions", out, "--out", other, "--seed", 2, "--n", 10) == 0
    assert len(open_events(other)) == 10
    assert not np.array_equal(open_events(other).read().response, events.read().response[:10])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--energy", 5000, "--n", 3], "or say --extrapolate"),
        (["--n", 0], "which events?"),
        (["--energy", 50], "which events?"),
        (["--energy", 50, "--n", 3, "--set", "alignment_et=1"], "Nearest: 'alignment_eta'"),
        (["--energy", 50, "--n", 3, "--set", "alignment_eta"], "write it as NAME=VALUE"),
        (["--energy", 50, "--n", 3, "--set", "alignment_eta=x"], "a number is needed"),
        (["--energy", 50, "--n", 3, "--layout", "calochallenge"], "cannot be written as calochallenge"),
        (["--conditions", "none.h5"], "there is no such file"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(gan, tmp_path, capsys, arguments, message):
    assert run(gan.folder, *arguments, "--out", tmp_path / "out.h5") == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_extrapolation_must_be_said(gan, tmp_path):
    assert run(gan.folder, "--energy", 5000, "--n", 3, "--extrapolate", "--out", tmp_path / "out.h5") == 0


def test_a_file_is_replaced_only_when_told(gan, tmp_path, capsys):
    out = tmp_path / "out.h5"
    out.write_text("precious")
    assert run(gan.folder, "--energy", 50, "--n", 3, "--out", out) == 2
    assert "--force" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert run(gan.folder, "--energy", 50, "--n", 3, "--out", out, "--force") == 0


class TestWhereItLies:
    def test_an_entry_without_a_generator_says_so(self, tmp_path, make_entry, make_observables):
        write_entry(tmp_path / "leaderboard", make_entry(id="elsewhere.1"), make_observables())
        with pytest.raises(FileNotFoundError, match="no search in this folder has the checkpoint of seed"):
            find_trained("elsewhere.1", tmp_path)
        with pytest.raises(ValueError, match="no completed seed 9"):
            find_trained("elsewhere.1", tmp_path, 9)
        with pytest.raises(ValueError, match=r"Nearest: 'elsewhere\.1'"):
            find_trained("elsewhere.2", tmp_path)
        submitted = make_entry(id="submitted.1")
        submitted["provenance"]["origin"] = "submitted"
        write_entry(tmp_path / "leaderboard", submitted, make_observables())
        with pytest.raises(ValueError, match="has no generator here"):
            find_trained("submitted.1", tmp_path)

    def test_it_is_found_where_the_search_left_it(self, gan, tmp_path, make_entry, make_observables):
        entry = make_entry(id="mine.1")
        write_entry(tmp_path / "leaderboard", entry, make_observables(seed=2))
        place = tmp_path / "atlas-gan" / "001" / "final" / "mine.1" / "seed-2"
        shutil.copytree(gan.folder, place)
        found = find_trained("mine.1", tmp_path)
        assert found.folder == place
        assert found.trained_range["incident_energy"][0] == pytest.approx(1024.0)
        assert find_trained(str(tmp_path / "leaderboard/entries/mine.1/entry.json"), tmp_path).folder == place

    def test_without_a_board_it_says_where_it_looked(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="name it with --output"):
            find_trained("mine.1", Path(tmp_path) / "nowhere")

    def test_a_training_that_diverged_left_none(self, gan, tmp_path):
        record = json.loads((gan.folder / "seed.json").read_text())
        (tmp_path / "seed.json").write_text(json.dumps(record | {"checkpoint": None, "status": "diverged"}))
        with pytest.raises(FileNotFoundError, match="the training diverged"):
            find_trained(str(tmp_path), tmp_path)
