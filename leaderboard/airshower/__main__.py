"""Train, study and draw: the figures and tables of docs/airshower_models.md.

python -m leaderboard.airshower --docs docs
python -m leaderboard.airshower --refiner CHECKPOINT
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from leaderboard.airshower.page import write_page, write_refiner, write_wgan
from leaderboard.airshower.refiner_study import refiner_study
from leaderboard.airshower.wgan_study import wgan_study

SEED = 1


def main() -> None:
    """Run what was asked for, and write it."""
    given = parser().parse_args()
    console = Console(stderr=True)
    parts: dict[str, str] = {}
    if given.only != "refiner" and given.refiner is None:
        parts["wgan"] = write_wgan(given.docs, wgan_study(given.seed, on_step=console.print))
    if given.only != "wgan":
        study = refiner_study(given.seed, checkpoint=given.refiner, on_step=console.print)
        parts["refiner"] = write_refiner(given.docs, study)
    print(write_page(given.docs, parts))


def parser() -> argparse.ArgumentParser:
    """Flags of the command."""
    flags = argparse.ArgumentParser(prog="python -m leaderboard.airshower", description=__doc__)
    flags.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the page (default: docs)")
    flags.add_argument("--only", choices=("wgan", "refiner"), help="one of the two (default: both)")
    flags.add_argument("--refiner", type=Path, metavar="CHECKPOINT", help="study this one, instead of training one")
    flags.add_argument("--seed", type=int, default=SEED)
    return flags


if __name__ == "__main__":
    main()
