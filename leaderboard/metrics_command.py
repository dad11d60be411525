"""``arena metrics``: what is measured, and any two files compared."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from data_adapters.registry import UnknownName
from leaderboard.self_test_command import add_self_test_action


def add_metrics_command(commands: Any) -> None:  # argparse has no public type for it
    """Add ``metrics`` with its actions to the subcommands of a parser."""
    actions = commands.add_parser("metrics", help="list the metrics, compare two files").add_subparsers(
        required=True, metavar="ACTION"
    )
    actions.add_parser("list", help="every metric, observable, scorecard and fault").set_defaults(run=_list)

    show = actions.add_parser("show", help="definition and source of one of them")
    show.add_argument("name")
    show.set_defaults(run=_show)

    compare = actions.add_parser("compare", help="judge a generated file against a reference")
    compare.add_argument("reference", type=Path, metavar="REF", help="full simulation, held out")
    compare.add_argument("generated", type=Path, metavar="GEN", help="generated at the same conditions")
    compare.add_argument("--twin", type=Path, help="full simulation of the same particles again: gives the floor")
    compare.add_argument("--detector", help="that the files are of; default: what the files say")
    compare.add_argument("--scorecard", help="default: the one of the detector")
    compare.add_argument(
        "--whole-sample", action="store_true", help="also what takes minutes: metrics of whole samples"
    )
    compare.add_argument("--out", type=Path, default=Path("comparison"), help="folder of JSON and page")
    compare.set_defaults(run=_compare)

    add_self_test_action(actions)

    scales = actions.add_parser("scales", help="measure a scorecard's scales again")
    scales.add_argument("--scorecard", default="atlas-photons-v1")
    scales.add_argument("--dataset", help="default: the one on which they were frozen")
    scales.set_defaults(run=_scales)


def _list(_given: argparse.Namespace) -> int:
    from metrics.listing import KINDS, lines

    for kind, registry in KINDS.items():
        print(f"{kind}s")
        for line in lines(registry):
            print(f"  {line}")
    return 0


def _show(given: argparse.Namespace) -> int:
    from metrics.listing import KINDS

    found = [(kind, registry[given.name]) for kind, registry in KINDS.items() if given.name in registry]
    if not found:
        raise UnknownName("metric, observable, scorecard or fault", given.name, {n for r in KINDS.values() for n in r})
    for kind, component in found:
        print(f"{kind} {component.name}")
        for name, value in _facts(component):
            print(f"  {name.replace('_', ' '):22} {value}")
    return 0


def _facts(component: Any) -> list[tuple[str, object]]:
    return [(name, value) for name, value in vars(component).items() if name != "name" and not callable(value)]


def _compare(given: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    from leaderboard import comparison
    from metrics.scorecards import scorecard_of

    if given.out.exists() and not given.out.is_dir():
        raise NotADirectoryError(20, "it is a file; --out is a folder", str(given.out))
    samples = comparison.open_samples(given.reference, given.generated, given.twin, given.detector)
    scorecard = scorecard_of(samples.reference.detector, samples.reference.conditions, given.scorecard)
    paths = {"reference": given.reference, "generated": given.generated, "twin": given.twin}
    names = {role: path and path.name for role, path in paths.items()}
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        found = comparison.compare(samples, scorecard, names, whole_sample=given.whole_sample, progress=progress)
    _print(found.record)
    for path in comparison.write_comparison(found, given.out):
        print(path)
    return 0


def _print(record: dict[str, Any]) -> None:
    from leaderboard.comparison import HEADER, WHOLE_SAMPLE_HEADER, table
    from leaderboard.text import helix_table

    print(f"{record['detector']}, {record['num_events']} events, {record['scorecard']}; lower is better")
    for name, parts in record["matching"].items():
        for part in parts or ():
            print(
                f"{name}: paired with the nearest conditions; {part['condition']} differs by {part['mean']:.3g} "
                f"{part['unit']} on average, {part['largest']:.3g} at most"
            )
    _print_table([HEADER, *table(record)])
    if record["helix"]:
        print()
        _print_table(helix_table(record["helix"]))
    if record["whole_sample"]:
        print()
        _print_table([WHOLE_SAMPLE_HEADER, *(tuple(row["shown"]) for row in record["whole_sample"])])


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _scales(given: argparse.Namespace) -> int:
    from data_adapters.datasets import DATASETS
    from metrics import SCORECARDS
    from metrics.scales import measure_scales
    from metrics.self_test_expected import EXPECTED
    from metrics.simulations import three_simulations

    scorecard = SCORECARDS[given.scorecard]
    dataset = DATASETS[given.dataset or EXPECTED[scorecard.name].dataset]
    reference, twin, _ = three_simulations(dataset)
    measured = measure_scales(scorecard, reference, twin)
    for name, value in measured.items():
        print(f"{name:12} measured {value:.10g}  frozen {scorecard.scales[name]:.10g}")
    return 0
