"""The trials of a search as an Optuna study, for Optuna's own tools: its dashboard, its plots.

The search itself uses no such storage: its memory is the ledger, which no database can lock.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import optuna
from grpc import RpcError
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from search.engine.ledger import TrialEnd, TrialStart, ledger_as_it_is
from search.engine.objectives import SCORE, Objectives
from search.engine.plan import recorded_identity, recorded_space
from search.engine.sampler import frozen_trial
from search.engine.study import StudyError
from search.studies import STUDIES

NUMBER = "number"  # user attribute: a trial's number in the search
JOURNALS = (".log", ".journal")
DATABASES = ("postgresql", "sqlite:///", "mysql")
STORAGES = "postgresql://HOST/DATABASE, sqlite:///FILE, grpc://HOST:PORT, or a journal file (.log, .journal)"


def export(search: Path, address: str) -> tuple[int, str]:
    """Write the ended trials of a search that the storage does not have yet.

    Args:
        search: Folder of a search, which may go on meanwhile.
        address: Of an Optuna storage; a database's tables, or a journal file, are made.
    Returns: How many trials were added, and the study's name ("atlas-gan/001").
    Raises: StudyError for a folder without a search or an address of no storage; ConnectionError if the storage
        cannot be reached.
    """
    identity = recorded_identity(search)
    space = recorded_space(search, STUDIES[identity["study"]])
    objectives = Objectives(tuple(identity.get("objective", SCORE).split(",")))
    name = f"{identity['study']}/{search.resolve().name}"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with storage_at(address) as storage:
            study = optuna.create_study(
                study_name=name,
                storage=storage,
                directions=["minimize"] * len(objectives.names),
                load_if_exists=True,
            )
            there = {trial.user_attrs.get(NUMBER) for trial in study.get_trials(deepcopy=False)}
            new = [(start, end) for start, end in _ended(search) if start.number not in there]
            for start, end in new:
                study.add_trial(frozen_trial(space, start.config, end, objectives, _attributes(start, end)))
    except (SQLAlchemyError, RpcError) as error:
        raise ConnectionError(f"{address} cannot be used: {error}") from error
    return len(new), name


@contextmanager
def storage_at(address: str) -> Iterator[BaseStorage]:
    """The Optuna storage at an address, closed in the end. Raises: StudyError if it is none."""
    if address.startswith("grpc://"):
        storage = _grpc(address)
        yield storage
        storage.close()
    elif address.startswith(DATABASES):
        database = _database(address)
        yield database
        database.remove_session()
        database.engine.dispose()
    elif address.endswith(JOURNALS):
        yield JournalStorage(JournalFileBackend(address))
    else:
        raise StudyError(f"--storage {address!r} is no storage of Optuna's. It takes {STORAGES}")


def _database(address: str) -> RDBStorage:
    """Raises: StudyError where the driver is missing, or the tables of MLflow are: both number theirs in one table."""
    try:
        engine = create_engine(address, poolclass=NullPool)
    except ImportError as error:
        raise StudyError(f"--storage {address}: its driver is missing. pip install -e '.[postgresql]'") from error
    if {"experiments", "alembic_version"} <= set(inspect(engine).get_table_names()):
        raise StudyError(f"--storage {address} holds MLflow's tables. Give Optuna a database of its own")
    return RDBStorage(address)


def _grpc(address: str) -> GrpcStorageProxy:
    parts = urlsplit(address)
    if parts.hostname is None or parts.port is None:
        raise StudyError(f"--storage {address!r}: write it as grpc://HOST:PORT")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return GrpcStorageProxy(host=parts.hostname, port=parts.port)


def _ended(search: Path) -> list[tuple[TrialStart, TrialEnd]]:
    """Trials that ended for good."""
    ledger = ledger_as_it_is(search / "ledger.jsonl")
    return [(start, end) for start, end in ledger.ended if end.status != "preempted"]


def _attributes(start: TrialStart, end: TrialEnd) -> dict[str, Any]:
    """What is recorded beside what Optuna keeps by itself."""
    return {
        NUMBER: start.number,
        "seed": start.seed,
        "status": end.status,
        "score": end.score,
        "score_error": end.score_error,
        "epochs": end.epochs,
        "seconds": end.seconds,
        "detail": end.detail,
    }
