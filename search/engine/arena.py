"""The ``arena`` command: what is there, the leaderboard's pages, late deliveries, generated documentation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_adapters.command_line import add_data_command
from data_adapters.registry import UnknownName
from leaderboard.leaderboard_command import add_leaderboard_command
from leaderboard.metrics_command import add_metrics_command
from leaderboard.replay_command import add_replay_command
from search.engine.benchmark_command import add_benchmark_command
from search.engine.export_command import add_export_command
from search.engine.failure import fail
from search.engine.flags import Flags
from search.engine.generate_command import add_generate_command
from search.engine.register_command import add_register_command
from search.engine.report_command import add_report_command


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a subcommand; exits with 2 after a message where it cannot."""
    given = parser().parse_args(arguments)
    try:
        status = given.run(given)
    except (ValueError, OSError) as error:
        raise SystemExit(fail(error)) from error
    sys.exit(status)


def parser() -> argparse.ArgumentParser:
    """Subcommands and their flags."""
    top: argparse.ArgumentParser = Flags(prog="arena", description="Search, benchmark and rank fast-simulation models.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="what is registered")
    listing.add_argument("kind", help=", ".join(REGISTRIES))
    listing.set_defaults(run=_list)

    add_data_command(commands)

    add_leaderboard_command(commands)
    add_benchmark_command(commands)
    add_replay_command(commands)
    add_generate_command(commands)
    add_export_command(commands)
    add_register_command(commands)
    add_metrics_command(commands)

    tracking = commands.add_parser("tracking", help="deliver what a tracking server missed")
    tracking.add_argument("search", type=Path, help="folder of a search, like runs/atlas-gan/001")
    tracking.add_argument("--tracking-uri", metavar="URI", help="another server: it gets everything from the beginning")
    tracking.set_defaults(run=_deliver)

    optuna = commands.add_parser("optuna", help="write the ended trials of a search into an Optuna storage")
    optuna.add_argument("search", type=Path, help="folder of a search, like runs/atlas-gan/001")
    storages = "postgresql://…, sqlite:///FILE, grpc://HOST:PORT, or a journal file (.log, .journal)"
    optuna.add_argument("--storage", required=True, help=storages)
    optuna.set_defaults(run=_optuna)

    add_report_command(commands)

    docs = commands.add_parser("docs", help="write the generated tables of the documentation")
    docs.add_argument("--folder", type=Path, default=Path("docs"))
    docs.add_argument("--results-from", type=Path, metavar="OUTPUT", help="take the results of the searches in there")
    docs.set_defaults(run=_docs)
    return top


def _studies() -> Mapping[str, Any]:
    from search.studies import STUDIES

    return STUDIES


def _models() -> Mapping[str, Any]:
    from models import MODELS

    return MODELS


def _spaces() -> Mapping[str, Any]:
    from search.spaces import SPACES

    return SPACES


def _datasets() -> Mapping[str, Any]:
    from data_adapters.datasets import DATASETS

    return DATASETS


def _targets() -> Mapping[str, Any]:
    from models.export.targets import TARGETS

    return TARGETS


def _of_metrics(name: str) -> Callable[[], Mapping[str, Any]]:
    def registry() -> Mapping[str, Any]:
        import metrics

        found: Mapping[str, Any] = getattr(metrics, name)
        return found

    return registry


# Imported when asked for: a listing of datasets needs no torch.
REGISTRIES: dict[str, Callable[[], Mapping[str, Any]]] = {
    "datasets": _datasets,
    "faults": _of_metrics("FAULTS"),
    "metrics": _of_metrics("METRICS"),
    "models": _models,
    "observables": _of_metrics("OBSERVABLES"),
    "scorecards": _of_metrics("SCORECARDS"),
    "spaces": _spaces,
    "studies": _studies,
    "targets": _targets,
    "whole-sample-metrics": _of_metrics("WHOLE_SAMPLE_METRICS"),
}


def _list(given: argparse.Namespace) -> int:
    if given.kind not in REGISTRIES:
        raise UnknownName("kind", given.kind, REGISTRIES)
    from metrics.listing import lines

    print(*lines(REGISTRIES[given.kind]()), sep="\n")
    return 0


def _deliver(given: argparse.Namespace) -> int:
    from search.engine.plan import lock
    from search.engine.storage_check import refuse_password, refuse_sqlite_on_network
    from search.engine.tracking import deliver

    folder = given.search / "tracking"
    if not folder.is_dir():
        raise FileNotFoundError(2, "not the folder of a search, like runs/atlas-gan/001", str(given.search))
    if given.tracking_uri is not None:
        refuse_password(given.tracking_uri)
        refuse_sqlite_on_network(given.tracking_uri)
    with lock(given.search):
        delivery = deliver(folder, given.tracking_uri)
    print(f"{delivery.delivered} records delivered to {delivery.uri}")
    for refused in delivery.refused:
        print(f"refused {refused}", file=sys.stderr)
    return 1 if delivery.refused else 0


def _optuna(given: argparse.Namespace) -> int:
    from search.engine.optuna_export import export
    from search.engine.storage_check import refuse_password, refuse_sqlite_on_network

    refuse_password(given.storage)
    refuse_sqlite_on_network(given.storage)
    added, name = export(given.search, given.storage)
    print(f"{added} trials added to the study {name} in {given.storage}")
    return 0


def _docs(given: argparse.Namespace) -> int:
    from search.engine.documentation import write_documentation

    for path in write_documentation(given.folder, given.results_from):
        print(path)
    return 0
