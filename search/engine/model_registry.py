"""Champions in MLflow's model registry: registered with their entry and contract, and fetched by name."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from leaderboard.records import JsonObject
from leaderboard.trained import SEED_FILE, Trained

if TYPE_CHECKING:
    from mlflow import MlflowClient

SCHEME = "models:/"
ADDRESS = re.compile(r"models:/(?P<name>[^@/]+)(?:@(?P<alias>[^@/]+)|/(?P<version>[0-9]+))")
ALIAS = "champion"
ARTIFACTS = "champion"


def downloaded(uri: str, output: Path) -> Path:
    """A folder with a registered model, such as ``models:/atlas-gan@champion``, until this process ends.

    Args:
        output: Where searches are kept: their own database is asked where MLFLOW_TRACKING_URI names no server.
    Raises: ValueError if there is no such model, or it was not registered from here.
    """
    import mlflow.artifacts
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    place = tracking_uri(output)
    try:
        source = _source(MlflowClient(place), uri)
        folder = tempfile.mkdtemp(prefix="arena-model-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        found = Path(mlflow.artifacts.download_artifacts(source, dst_path=folder, tracking_uri=place))
    except (MlflowException, OSError) as error:
        raise ValueError(f"{uri}: not in the registry of {place} ({error})") from error
    if not (found / SEED_FILE).is_file():
        raise ValueError(f"{uri} was not registered by this project: it has no {SEED_FILE}")
    return found


def _source(client: MlflowClient, uri: str) -> str:
    """Where the files of ``models:/name@alias`` or ``models:/name/version`` lie.

    Raises: MlflowException if there is no such version; ValueError for another address.
    """
    match = ADDRESS.fullmatch(uri)
    if match is None:
        raise ValueError(f"{uri}: an address such as models:/atlas-gan@champion or models:/atlas-gan/3 is needed")
    name, alias, version = match.group("name", "alias", "version")
    if alias:
        return str(client.get_model_version_by_alias(name, alias).source)
    return str(client.get_model_version(name, version).source)


def tracking_uri(output: Path) -> str:
    """The server that the environment names, else the database beside the searches."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(output / 'mlflow.db').resolve()}"


def register_champion(trained: Trained, study: str, uri: str, on_step: Callable[[str], None]) -> str:
    """Register a trained generator under the name of its study, with entry and contract, as its champion.

    Returns: ``models:/<study>@champion``.
    Raises: CannotExport, MlflowException.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(uri)
    run = _run_of(client, trained.entry, study)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / ARTIFACTS
        contract = _assemble(trained, folder, on_step)
        on_step("uploading")
        client.log_artifacts(run, str(folder), ARTIFACTS)
    try:
        client.create_registered_model(study, description="Champions of a search with FastSim Arena")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{client.get_run(run).info.artifact_uri}/{ARTIFACTS}"
    version = client.create_model_version(study, source, run, tags=_tags(trained, contract))
    client.set_registered_model_alias(study, ALIAS, version.version)
    return f"{SCHEME}{study}@{ALIAS}"


def _assemble(trained: Trained, folder: Path, on_step: Callable[[str], None]) -> JsonObject:
    """The exported model, and the generator that it was made from."""
    from leaderboard.export.folder import export_model
    from models.checkpoint import copy_generator
    from models.export.targets import TARGETS, Choices

    contract = export_model(trained, TARGETS["onnx"], Choices(), folder, on_step)
    copy_generator(trained.checkpoint, folder / trained.checkpoint.name)
    record = json.loads((trained.folder / SEED_FILE).read_text(encoding="utf-8"))
    (folder / SEED_FILE).write_text(json.dumps(record, allow_nan=False), encoding="utf-8")
    return contract


def _run_of(client: MlflowClient, entry: JsonObject | None, study: str) -> str:
    """The run of the search that the entry belongs to; a new one where it has none."""
    run = None if entry is None else (entry.get("mlflow") or {}).get("run_id")
    if run:
        return str(run)
    experiment = client.get_experiment_by_name(study)
    number = client.create_experiment(study) if experiment is None else experiment.experiment_id
    created = client.create_run(number, run_name=f"registration of {'a training' if entry is None else entry['id']}")
    client.set_terminated(created.info.run_id)
    return str(created.info.run_id)


def _tags(trained: Trained, contract: JsonObject) -> dict[str, str]:
    tags = {"seed": str(trained.seed), "onnx_sha256": contract["sha256"]}
    entry = trained.entry
    if entry is not None:
        tags |= {"entry": entry["id"], "dataset_sha256": entry["dataset"]["sha256"]}
        tags |= {"score": f"{entry['score']['value']:.6g}", "score_error": f"{entry['score']['error']:.2g}"}
    return tags
