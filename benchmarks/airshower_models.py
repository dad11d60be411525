"""The air-shower WGAN and refiner, trained and studied as in their paper: the figures and tables of the docs page.

    python benchmarks/airshower_models.py --docs docs
    python benchmarks/airshower_models.py --refiner CHECKPOINT

Both have the hyperparameters of their studies' laptop presets.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from leaderboard.airshower.page import write_page, write_refiner, write_wgan
from leaderboard.airshower.refiner_study import refiner_study
from leaderboard.airshower.wgan_study import wgan_study
from search.airshower_refiner import STUDY as REFINER
from search.airshower_wgan import STUDY as WGAN

SEED = 1


def main() -> None:
    """Run what was asked for, and write it."""
    given = parser().parse_args()
    console = Console(stderr=True)
    parts: dict[str, str] = {}
    if given.only != "refiner" and given.refiner is None:
        study = wgan_study(WGAN.laptop.defaults, given.seed, on_step=console.print)
        parts["wgan"] = write_wgan(given.docs, study)
    if given.only != "wgan":
        refined = refiner_study(REFINER.laptop.defaults, given.seed, checkpoint=given.refiner, on_step=console.print)
        parts["refiner"] = write_refiner(given.docs, refined)
    print(write_page(given.docs, parts))


def parser() -> argparse.ArgumentParser:
    """Flags of the command."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the page (default: docs)")
    flags.add_argument("--only", choices=("wgan", "refiner"), help="one of the two (default: both)")
    flags.add_argument("--refiner", type=Path, metavar="CHECKPOINT", help="study this one, instead of training one")
    flags.add_argument("--seed", type=int, default=SEED)
    return flags


if __name__ == "__main__":
    main()
