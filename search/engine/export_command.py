"""``arena export``: a trained model as a folder that simulations use."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from search.engine.generate_command import WHAT, add_training_flags, opened, pairs

if TYPE_CHECKING:
    from leaderboard.records import JsonObject


def add_export_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand and its flags."""
    command = commands.add_parser("export", help="a trained model as a file that C++ simulations run")
    add = command.add_argument
    add("entry", metavar="ENTRY", help=WHAT)
    add("--target", default="onnx", help="onnx (any runtime), par04 (Geant4's example), fastcalosim (ATLAS)")
    add("--out", type=Path, metavar="FOLDER", help="a new folder (default: exported/ENTRY-TARGET)")
    add("--fix", action="append", default=[], metavar="NAME=VALUE", help="a condition that becomes a constant inside")
    add("--particle", default="photon-high", help="of FastCaloSim: which momenta the network is for")
    add("--depth-mm", type=float, help="of Par04: depth of a layer")
    add_training_flags(command)
    command.set_defaults(run=_export)


def _export(given: argparse.Namespace) -> int:
    from rich.console import Console

    from leaderboard.export.folder import export_model
    from leaderboard.trained import Trained
    from models.export.fastcalosim import PARTICLES
    from models.export.targets import TARGETS, Choices

    target = TARGETS[given.target]
    trained = opened(given.entry, given.output, given.training_seed)
    if not isinstance(trained, Trained):
        raise ValueError(f"{given.entry} is exported already; export its entry for another target")
    name = trained.folder.name if trained.entry is None else trained.entry["id"]
    out = given.out or Path("exported") / f"{name}-{target.name}"
    fixed = pairs(given.fix, trained.generator().detector)
    choices = Choices(fixed, PARTICLES[given.particle].name, given.depth_mm)
    with Console(stderr=True).status("loading") as status:
        contract = export_model(trained, target, choices, out, status.update)
    _print(contract, out)
    return 0


def _print(contract: JsonObject, out: Path) -> None:
    for path in sorted(out.iterdir()):
        print(path)
    inputs = ", ".join(f"{item['name']} [{item['unit']}]" for item in contract["inputs"])
    print(f"{inputs} → {contract['output']['name']} [{contract['output']['unit']}]; opset {contract['opset']}")
    golden = contract["golden"]
    difference = f"{golden['largest_difference']:.1e}"
    print(f"largest difference to torch: {difference} of the largest cell, {golden['events']} events")
    for row in contract["latency"]:
        print(
            f"{row['runtime']:>5}, batch {row['batch']:>3}: {row['median_ms']:.3g} ± {row['spread_ms']:.1g} ms an "
            f"event on one thread, {row['peak_memory_mb']:.0f} MB"
        )
