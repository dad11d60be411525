"""The champion of a study in MLflow's registry, and events from it by its name alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from data_adapters.adapters import open_events
from leaderboard.export import folder as export_folder
from models.storage import read_checkpoint
from search.engine.arena import main
from tests.leaderboard.exports import trained_on_disk

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    code = ended.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture(autouse=True)
def not_timed(monkeypatch):
    monkeypatch.setattr(export_folder, "measure_latency", lambda *_: [])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_a_champion_is_registered_with_all_that_belongs_to_it_and_generates(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # MLflow keeps artifacts of a database below the folder that it is used in
    trained = trained_on_disk("atlas-gan", tmp_path / "training")
    (tmp_path / "runs").mkdir()
    assert run("register", trained.folder, "--output", tmp_path / "runs") == 0
    (name,) = {word for word in capsys.readouterr().out.split() if word.startswith("models:/")}
    assert name.endswith("@champion")
    client = MlflowClient(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    study = name.removeprefix("models:/").removesuffix("@champion")
    version = client.get_model_version_by_alias(study, "champion")
    assert version.tags["entry"] == "atlas-gan.test"
    shutil.rmtree(trained.folder)

    assert run("generate", name, "--energy", 50, "--n", 20, "--out", "s.h5", "--output", tmp_path / "runs") == 0
    assert len(open_events(Path("s.h5"))) == 20
    assert version.run_id is not None
    found = Path(client.download_artifacts(version.run_id, "champion", str(tmp_path / "fetched")))
    assert {"model.onnx", "contract.json", "entry.json", "seed.json", "MODEL_CARD.md"} <= {
        p.name for p in found.iterdir()
    }
    assert json.loads((found / "contract.json").read_text())["model"]["entry"] == "atlas-gan.test"
    _, tensors = read_checkpoint(found / "checkpoint-0")
    assert {key.split(".")[0] for key in tensors} == {"generator"}  # nothing of the training goes out

    again = trained_on_disk("atlas-gan", tmp_path / "better", epochs=2)
    assert run("register", again.folder, "--output", tmp_path / "runs") == 0
    assert client.get_model_version_by_alias(study, "champion").version != version.version


def test_a_name_that_is_not_registered_says_where_it_looked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    out = ["--n", 1, "--out", "s.h5", "--output", tmp_path / "runs"]
    assert run("generate", "models:/nobody@champion", *out) == 2
    assert "models:/nobody@champion: not in the registry of sqlite:///" in capsys.readouterr().err
    assert run("generate", "models:/nobody", *out) == 2
    assert "an address such as models:/atlas-gan@champion" in capsys.readouterr().err
    assert run("register", tmp_path, "--tracking-uri", "http://user:secret@host", "--output", tmp_path) == 2
    assert "secret" not in capsys.readouterr().err
