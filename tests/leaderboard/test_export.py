"""Exported models: what torch gave comes out of ONNX Runtime, and each simulation can read its file."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import optuna
import pytest
import torch
from onnx import TensorProto, helper

from data_adapters.adapters import open_events
from data_adapters.datasets import ATLAS_PHOTONS_GEANT4
from data_adapters.registry import UnknownName
from leaderboard.export import folder as export_folder
from leaderboard.export.contract import TOLERANCE
from leaderboard.export.folder import export_model, largest_difference
from leaderboard.export.readers import READERS, CannotRead, as_fastcalosim, as_par04
from leaderboard.exported_model import ExportedModel, InvalidExport
from leaderboard.trained import Trained
from metrics.judge import Judge
from metrics.scorecards import SCORECARDS
from models import MODELS
from models.export.onnx_program import OPSET, CannotExport, check_program
from models.export.par04 import in_order_of_par04
from models.export.targets import TARGETS, Choices
from search.spaces import SPACES
from tests.leaderboard.exports import saved, trained_on_disk
from tests.models.samples import trained

TRACK_METHODS = ("gan-mlp", "gan-lstm", "vae", "cvae", "dcgan", "progan")
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in MODELS if name != "alice-tracks"},
    **{f"alice-tracks {method}": ("alice-tracks", {"method": method}) for method in TRACK_METHODS},
    **{
        f"alice-tracks {method} told": ("alice-tracks", {"method": method, "conditioning": "momentum"})
        for method in ("gan-lstm", "progan")
    },
}

WITHOUT_TORCH = """
import json, sys
from pathlib import Path
import numpy as np
from leaderboard.export.runtime import open_session, run
found = {}
for name in sys.argv[1:]:
    with np.load(Path(name) / "golden.npz", allow_pickle=False) as file:
        golden = dict(file)
    expected = golden.pop("response")
    session = open_session(Path(name) / "model.onnx")
    largest = np.maximum(np.abs(expected).max(axis=1, keepdims=True), 1e-30)
    alone = run(session, {key: values[:1] for key, values in golden.items()})
    found[Path(name).name] = [
        float((np.abs(run(session, golden) - expected) / largest).max()),
        float((np.abs(alone - expected[:1]) / largest[:1]).max()),
    ]
print(json.dumps({"found": found, "torch": "torch" in sys.modules}))
"""


@pytest.fixture(autouse=True, scope="module")
def not_timed() -> Iterator[None]:
    """Timing takes two processes a model; one test does it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export_folder, "measure_latency", lambda *_: [])
        yield


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("exported")
    folders = {}
    for number, (family, (name, changes)) in enumerate(FAMILIES.items()):
        on_disk = trained_on_disk(name, root / f"trained-{number}", **changes)
        folders[family] = root / f"exported-{number}"
        export_model(on_disk, TARGETS["onnx"], Choices(), folders[family])
    return folders


@pytest.fixture(scope="module")
def differences(exported) -> dict[str, list[float]]:
    """Of all families, found by a process that never loads torch."""
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, exported.values())]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    result = json.loads(answer.stdout)
    assert result["torch"] is False
    return {family: result["found"][folder.name] for family, folder in exported.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_onnx_runtime_alone_gives_what_torch_gave(differences, family):
    assert max(differences[family]) <= TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_the_file_is_what_old_runtimes_read_and_the_contract_describes_it(exported, family):
    folder = exported[family]
    program = onnx.load(folder / "model.onnx")
    contract = json.loads((folder / "contract.json").read_text())
    assert [(item.domain, item.version) for item in program.opset_import] == [("", OPSET)]
    assert OPSET <= 15
    assert [item.name for item in program.graph.input] == [item["name"] for item in contract["inputs"]]
    assert all(item.type.tensor_type.elem_type == TensorProto.FLOAT for item in program.graph.input)
    assert {item.type.tensor_type.shape.dim[0].dim_param for item in program.graph.input} == {"events"}
    assert contract["golden"]["largest_difference"] <= TOLERANCE
    cells = math.prod(contract["output"]["shape"][1:])
    assert cells == ExportedModel(folder).detector.num_cells
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx", "contract.json", "golden.npz", "MODEL_CARD.md", "NOTICE.txt", "entry.json",
    }  # fmt: skip


def choices_of(name: str) -> list[dict[str, str]]:
    """Settings of a model that together have every value of its hyperparameters that are words, but bfloat16."""
    source = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    space, seen, chosen = SPACES[name], set[tuple[str, str]](), []
    for _ in range(200):
        words = {key: value for key, value in space.suggest(source.ask()).items() if isinstance(value, str)}
        if words.get("precision") == "bfloat16":
            continue
        if not seen.issuperset(words.items()):
            seen.update(words.items())
            chosen.append(words)
    return chosen


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_every_value_can_be_exported(tmp_path, name):
    for number, words in enumerate(choices_of(name)):
        on_disk = trained_on_disk(name, tmp_path / f"trained-{number}", epochs=0, **words)
        contract = export_model(on_disk, TARGETS["onnx"], Choices(), tmp_path / f"exported-{number}")
        assert contract["golden"]["largest_difference"] <= TOLERANCE, words


def test_conditions_that_are_ignored_are_named(exported):
    contract = json.loads((exported["mean-shower"] / "contract.json").read_text())
    assert [item["name"] for item in contract["inputs"]] == ["incident_energy"]
    assert contract["ignored_conditions"] == ["alignment_eta", "alignment_phi"]
    assert contract["inputs"][0]["unit"] == "MeV"


def test_physics_is_that_of_the_model(tmp_path):
    events = ATLAS_PHOTONS_GEANT4.split("train")
    model = trained("atlas-vae", 4, events, learning_rate=1e-3)
    on_disk = saved(model, "atlas-vae", events, tmp_path / "trained", None)
    export_model(on_disk, TARGETS["onnx"], Choices(), tmp_path / "exported")
    validation, twin = ATLAS_PHOTONS_GEANT4.split("validation"), ATLAS_PHOTONS_GEANT4.twin_split("validation")
    judge = Judge(SCORECARDS["atlas-photons-v1"], validation, twin)
    ours = model.generate(validation.conditions, seed=1)
    theirs = ExportedModel(tmp_path / "exported").generate(validation.conditions, seed=1)
    difference = judge.difference(ours, theirs)
    assert abs(difference.value) < 3 * difference.error
    assert not np.array_equal(ours, theirs)  # other random numbers


@pytest.fixture(scope="module")
def vae(tmp_path_factory) -> Trained:
    return trained_on_disk("atlas-vae", tmp_path_factory.mktemp("vae"))


FIXED = Choices(fixed={"alignment_eta": 1.0, "alignment_phi": 2.0})


class TestFastCaloSim:
    @pytest.mark.parametrize("particle", ["photon-low", "photon-high", "pion"])
    def test_it_reads_absolute_energies(self, vae, tmp_path, particle):
        choices = Choices(FIXED.fixed, particle)
        export_model(vae, TARGETS["fastcalosim"], choices, tmp_path / "out")
        random = np.random.default_rng(1)
        noise = {f"variable_{number}": random.normal(0.5, 0.5) for number in range(vae.generator().latent_dim)}
        # As TFCSGANEtaSlice computes it, for a photon or pion of 2 GeV of kinetic energy.
        low, high, mass = {"photon-low": (6, 12, 0.0), "photon-high": (12, 22, 0.0), "pion": (8, 22, 139.57039)}[
            particle
        ]
        least, most = (math.sqrt(4.0**exponent + mass**2) - mass for exponent in (low, high))
        told = {"variable_0": math.log(2000.0 / least) / math.log(most / least), "variable_1": 0.0}
        found = as_fastcalosim(tmp_path / "out" / "model.onnx", {"Noise": noise, "mycond": told})
        latent = torch.tensor([(noise[name] - 0.5) / 0.5 for name in sorted(noise)], dtype=torch.float32)[None]
        expected = self.response(vae, 2000.0, latent)
        cells = np.array([found[f"response_{number}"] for number in range(266)])
        np.testing.assert_allclose(cells, expected, rtol=1e-4, atol=1e-5 * expected.max())

    def response(self, vae: Trained, energy: float, latent: torch.Tensor) -> np.ndarray:
        generator = vae.generator()
        conditions = {"incident_energy": energy, **FIXED.fixed}
        encoded = generator.conditioning.encode({name: np.array([value]) for name, value in conditions.items()})
        with torch.no_grad():
            response: np.ndarray = generator.normalised(encoded, latent).numpy()[0] * energy
        return response

    def test_other_conditions_must_be_fixed(self, vae, tmp_path):
        with pytest.raises(CannotExport, match=r"fix the other conditions \(--fix\): alignment_eta, alignment_phi"):
            export_model(vae, TARGETS["fastcalosim"], Choices(), tmp_path / "out")
        with pytest.raises(UnknownName, match="photon-high"):
            export_model(vae, TARGETS["fastcalosim"], Choices(FIXED.fixed, "photons"), tmp_path / "out")
        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_it_could_not_fill_is_refused(self, vae, tmp_path):
        export_model(vae, TARGETS["onnx"], Choices(), tmp_path / "out")
        with pytest.raises(CannotRead, match="it wants the input incident_energy; FastCaloSim has Noise, mycond"):
            as_fastcalosim(tmp_path / "out" / "model.onnx", {"Noise": {}, "mycond": {}})


@pytest.fixture(scope="module")
def cylinder(tmp_path_factory) -> Trained:
    """A VAE of the cells of CaloChallenge dataset 2: 45 layers of 16 angles and 9 radii."""
    folder = tmp_path_factory.mktemp("cylinder")
    random = np.random.default_rng(2)
    with h5py.File(folder / "showers.h5", "w") as file:
        file["incident_energies"] = np.geomspace(1e3, 1e6, 40)[:, None]
        file["showers"] = random.random((40, 6480), dtype=np.float32)
    events = open_events(folder / "showers.h5").read()
    return saved(trained("atlas-vae", 1, events), "atlas-vae", events, folder / "trained", None)


class TestPar04:
    def test_it_reads_fractions_in_its_order(self, cylinder, tmp_path):
        contract = export_model(cylinder, TARGETS["par04"], Choices(depth_mm=3.4), tmp_path / "out")
        size = cylinder.generator().latent_dim
        latent = np.random.default_rng(1).standard_normal(size).astype(np.float32)
        vector = np.array([*latent, 50_000 / 1_024_000, 1.0, 0.0, 1.0], dtype=np.float32)
        fractions = as_par04(tmp_path / "out" / "model.onnx", vector, 6480)
        generator = cylinder.generator()
        encoded = generator.conditioning.encode({"incident_energy": np.array([50_000.0])})
        with torch.no_grad():
            cells = generator.normalised(encoded, torch.from_numpy(latent)[None]).numpy().reshape(45, 16, 9)
        cells = cells * generator.response_scale
        mesh = fractions.reshape(9, 16, 45)  # as the example counts: (r · 16 + φ) · 45 + z
        for layer, angle, radius in ((0, 0, 0), (44, 15, 8), (3, 7, 2), (20, 0, 8)):
            assert mesh[radius, angle, layer] == pytest.approx(cells[layer, angle, radius], rel=1e-3, abs=1e-6)
        assert contract["inputs"][0]["shape"] == [1, size + 4]
        assert contract["output"]["unit"] == "of the incident energy"

    def test_an_asymmetric_shower_is_turned_and_not_mirrored(self):
        shower = torch.arange(2 * 3 * 4, dtype=torch.float32)[None]  # two layers, three angles, four radii
        turned = in_order_of_par04(shower, (2, 3, 4))[0]
        for layer in range(2):
            for angle in range(3):
                for radius in range(4):
                    assert turned[(radius * 3 + angle) * 2 + layer] == shower[0, (layer * 3 + angle) * 4 + radius]

    def test_the_macro_has_its_numbers(self, cylinder, tmp_path):
        export_model(cylinder, TARGETS["par04"], Choices(depth_mm=3.4), tmp_path / "out")
        lines = (tmp_path / "out" / "par04.mac").read_text().splitlines()
        for line in ("setNbOfRhoCells 9", "setNbOfPhiCells 16", "setNbOfZCells 45", "setSizeOfZCells 3.4 mm"):
            assert f"/Par04/inference/{line}" in lines
        assert f"/Par04/inference/setSizeLatentVector {cylinder.generator().latent_dim}" in lines
        assert "/Par04/inference/setSizeOfRhoCells 4.65 mm" in lines

    def test_other_cells_are_refused(self, vae, tmp_path):
        with pytest.raises(CannotExport, match="its cells lie along eta, phi"):
            export_model(vae, TARGETS["par04"], FIXED, tmp_path / "out")

    def test_a_file_that_it_could_not_fill_is_refused(self, cylinder, tmp_path):
        export_model(cylinder, TARGETS["onnx"], Choices(), tmp_path / "onnx")
        with pytest.raises(CannotRead, match="it has 2 inputs"):
            as_par04(tmp_path / "onnx" / "model.onnx", np.zeros(14, np.float32), 6480)
        export_model(cylinder, TARGETS["par04"], Choices(), tmp_path / "par04")
        with pytest.raises(CannotRead, match=r"Par04 gives \[1, 3\]"):
            as_par04(tmp_path / "par04" / "model.onnx", np.zeros(3, np.float32), 6480)
        size = cylinder.generator().latent_dim + 4
        with pytest.raises(CannotRead, match="the mesh has 6481 cells"):
            as_par04(tmp_path / "par04" / "model.onnx", np.zeros(size, np.float32), 6481)


class TestRefusals:
    def test_bfloat16_says_why(self, tmp_path):
        on_disk = trained_on_disk("clic-3dgan", tmp_path / "trained", epochs=0, precision="bfloat16")
        with pytest.raises(CannotExport, match="bfloat16; old runtimes compute in float32"):
            export_model(on_disk, TARGETS["onnx"], Choices(), tmp_path / "out")

    def test_a_later_version_of_the_operators_is_noticed(self):
        value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["events"])
        result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["events"])
        graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", [value], [result])
        late = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        with pytest.raises(CannotExport, match="at most version 15"):
            check_program(late.SerializeToString())

    def test_what_differs_is_not_written(self, vae, tmp_path, monkeypatch):
        monkeypatch.setattr(export_folder, "TOLERANCE", 0.0)
        with pytest.raises(CannotExport, match="ONNX Runtime differs from torch"):
            export_model(vae, TARGETS["onnx"], Choices(), tmp_path / "out")
        assert list(tmp_path.iterdir()) == []

    def test_what_its_simulation_reads_otherwise_is_not_written(self, vae, tmp_path, monkeypatch):
        monkeypatch.setitem(READERS, "fastcalosim", lambda _file, _inputs, cells: np.ones(cells))
        with pytest.raises(CannotExport, match=r"FastCaloSim of ATLAS would get a response that differs by"):
            export_model(vae, TARGETS["fastcalosim"], FIXED, tmp_path / "out")
        assert list(tmp_path.iterdir()) == []

    def test_nothing_is_overwritten(self, vae, tmp_path):
        (tmp_path / "out").mkdir()
        with pytest.raises(FileExistsError):
            export_model(vae, TARGETS["onnx"], Choices(), tmp_path / "out")

    @pytest.mark.parametrize("fixed", [{"incident_enrgy": 1.0}, {"alignment": 0.0}])
    def test_an_unknown_condition_names_the_nearest(self, vae, tmp_path, fixed):
        with pytest.raises(UnknownName, match="incident_energy"):
            export_model(vae, TARGETS["onnx"], Choices(fixed), tmp_path / "out")

    def test_a_changed_program_is_noticed(self, vae, tmp_path):
        export_model(vae, TARGETS["onnx"], Choices(), tmp_path / "out")
        content = bytearray((tmp_path / "out" / "model.onnx").read_bytes())
        content[-1] ^= 1
        (tmp_path / "out" / "model.onnx").write_bytes(content)
        with pytest.raises(InvalidExport, match="its contract says another one"):
            ExportedModel(tmp_path / "out")
        export_model(vae, TARGETS["fastcalosim"], FIXED, tmp_path / "other")
        with pytest.raises(InvalidExport, match="was made for fastcalosim"):
            ExportedModel(tmp_path / "other")

    def test_differences_are_of_the_largest_cell(self):
        expected = np.array([[1.0, 100.0], [0.0, 0.0]], dtype=np.float32)
        one_more = np.array([[0, 1], [0, 0]], dtype=np.float32)
        assert largest_difference(expected + one_more, expected) == pytest.approx(0.01)
        assert largest_difference(np.full((2, 2), np.nan, np.float32), expected) == math.inf
        assert largest_difference(expected[:1], expected) == math.inf


def test_names_of_people_do_no_harm_on_the_card(vae, tmp_path):
    entry = json.loads((vae.folder / "entry.json").read_text())
    entry["title"] = entry["dataset"]["title"] = "<script>alert(1)</script> | `x`"
    hostile = Trained(vae.folder, vae.checkpoint, 1, entry["title"], vae.trained_range, entry)
    export_model(hostile, TARGETS["onnx"], Choices(), tmp_path / "out")
    assert "<script" not in (tmp_path / "out" / "MODEL_CARD.md").read_text()


def test_the_time_of_both_is_measured(vae, tmp_path, monkeypatch):
    from leaderboard.export import latency

    monkeypatch.setattr(export_folder, "measure_latency", latency.measure_latency)
    contract = export_model(vae, TARGETS["onnx"], Choices(), tmp_path / "out")
    assert [(row["runtime"], row["batch"]) for row in contract["latency"]] == [
        ("onnx", 1), ("onnx", 100), ("torch", 1), ("torch", 100),
    ]  # fmt: skip
    assert all(row["median_ms"] > 0 and row["peak_memory_mb"] > 10 for row in contract["latency"])
    assert "| ONNX Runtime | 100 |" in (tmp_path / "out" / "MODEL_CARD.md").read_text()
