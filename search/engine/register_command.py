"""``arena register``: the champion of a study in MLflow's model registry."""

from __future__ import annotations

import argparse

from search.engine.generate_command import add_training_flags


def add_register_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand and its flags."""
    command = commands.add_parser("register", help="an entry as champion of its study in MLflow's model registry")
    add = command.add_argument
    add("entry", metavar="ENTRY", help="id of an entry, or folder of a training")
    add("--name", help="of the registered model (default: its study)")
    add("--tracking-uri", metavar="URI", help="default: MLFLOW_TRACKING_URI, else the database beside the searches")
    add_training_flags(command)
    command.set_defaults(run=_register)


def _register(given: argparse.Namespace) -> int:
    from rich.console import Console

    from leaderboard.trained import find_trained
    from search.engine.model_registry import register_champion, tracking_uri
    from search.engine.storage_check import refuse_password, refuse_sqlite_on_network

    uri = given.tracking_uri or tracking_uri(given.output)
    refuse_password(uri)
    refuse_sqlite_on_network(uri)
    trained = find_trained(given.entry, given.output, given.training_seed)
    name = given.name or (trained.title if trained.entry is None else trained.entry["study"]["name"])
    with Console(stderr=True).status("loading") as status:
        registered = register_champion(trained, name, uri, status.update)
    print(f"{trained.origin} is {registered}")
    print(f"arena generate {registered} --energy 50 --n 1000 --out showers.h5")
    return 0
