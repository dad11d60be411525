"""``arena data``: look at files, describe, check, convert and make them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from data_adapters.adapters import ADAPTERS, open_events
from data_adapters.datasets import DATASETS, Dataset
from data_adapters.description import SUFFIX
from data_adapters.options import InvalidOption
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.registry import UnknownName
from data_adapters.source import EventSource
from data_adapters.unfinished import unfinished

if TYPE_CHECKING:
    from data_adapters.validation import Report

FILE_HELP = "a file, a folder of files of one kind, a description (.toml), or the name of a dataset"
WORD_WIDTH = 12
# The layout that "convert" writes unless it is told: ours, which hold any detector.
WRITTEN_LAYOUTS = {".h5": "arena-hdf5", ".hdf5": "arena-hdf5", ".root": "arena-root"}


class InvalidCommand(ValueError):
    """A command that cannot be carried out as it was given."""


def add_data_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Attach ``data`` and its subcommands; each sets ``run``, which takes the flags and returns the exit status."""
    data = commands.add_parser("data", help="look at event files; describe, check, convert and make them")
    actions = data.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="datasets, layouts and simulators").set_defaults(run=_list)
    _add_describe(actions)
    _add_inspect(actions)
    _add_validate(actions)
    _add_convert(actions)
    _add_make(actions)


def _add_describe(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    describe = actions.add_parser("describe", help="draft the description of a file of your own")
    describe.add_argument("file", type=Path, metavar="FILE", help="HDF5, NPZ, ROOT or CSV")
    describe.add_argument("--out", type=Path, help="the description (default: the name of the file, with .toml)")
    describe.add_argument("--force", action="store_true", help="replace a description that is there")
    describe.set_defaults(run=_describe)


def _add_inspect(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    inspect = actions.add_parser("inspect", help="shapes, units, ranges and energies of a sample; pictures of it")
    inspect.add_argument("file", metavar="FILE", help=FILE_HELP)
    inspect.add_argument("--out", type=Path, metavar="DIR", help="draw events and spectra into this folder")
    _add_reading(inspect)
    inspect.set_defaults(run=_inspect)


def _add_validate(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    validate = actions.add_parser("validate", help="say everything that is wrong with a sample")
    validate.add_argument("file", metavar="FILE", help=FILE_HELP)
    _add_reading(validate)
    validate.set_defaults(run=_validate)


def _add_convert(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    convert = actions.add_parser("convert", help="write a sample in another layout")
    convert.add_argument("file", metavar="IN", help=FILE_HELP)
    convert.add_argument("out", type=Path, metavar="OUT")
    convert.add_argument("--layout", metavar="NAME", help="of OUT (default: the arena's own, after the suffix)")
    convert.add_argument("--input-layout", metavar="NAME", help="of IN (default: recognised)")
    _add_options(convert, "of the layout of IN")
    convert.add_argument("--force", action="store_true", help="replace OUT if it is there")
    convert.set_defaults(run=_convert)


def _add_make(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    make = actions.add_parser("make", help="simulate a reference sample")
    make.add_argument("name", metavar="NAME", help="of a simulator (arena data list)")
    make.add_argument("--events", type=int, metavar="N", help="how many; of a twin, all of its file by default")
    make.add_argument("--out", type=Path, required=True, metavar="FILE")
    make.add_argument("--seed", type=int, default=1)
    make.add_argument("--processes", type=int, default=1, metavar="P", help="that work at the same time")
    make.add_argument("--twin-of", type=Path, metavar="FILE", help="simulate the particles of this file again")
    _add_options(make, "of the simulator")
    make.add_argument("--force", action="store_true", help="replace FILE if it is there")
    make.set_defaults(run=_make)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--layout", metavar="NAME", help="of the file (default: its description, else recognised)")
    _add_options(parser, "of the layout")


def _add_options(parser: argparse.ArgumentParser, whose: str) -> None:
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help=f"{whose} (repeatable)")


def _options(pairs: Iterable[str]) -> dict[str, str]:
    options = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise InvalidOption(f"--option {pair!r}: write it as NAME=VALUE, for example --option scale=0.02")
        options[name.strip()] = value.strip()
    return options


def _list(_given: argparse.Namespace) -> int:
    from data_adapters.simulators.registry import SIMULATORS

    registries: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("datasets", DATASETS),
        ("layouts", ADAPTERS),
        ("simulators", SIMULATORS),
    )
    width = max(len(name) for _, registry in registries for name in registry)
    for number, (kind, registry) in enumerate(registries):
        print(f"{kind}:" if number == 0 else f"\n{kind}:")
        for name, component in registry.items():
            print(f"  {name:{width}}  {component.title}")
    return 0


def _describe(given: argparse.Namespace) -> int:
    from data_adapters.drafting import draft_description

    out: Path = given.out or given.file.with_suffix(SUFFIX)
    if not given.file.is_file():
        raise FileNotFoundError(2, "there is no such file", str(given.file))
    if out.suffix.lower() != SUFFIX:
        raise InvalidCommand(f"{out}: a description is a TOML file; name it {out.with_suffix(SUFFIX)}")
    if out.exists() and not given.force:
        raise FileExistsError(17, "it is there already; --force replaces it, --out names another", str(out))
    draft = draft_description(given.file, out)
    with unfinished(out) as temporary:
        temporary.write_text(draft.text, encoding="utf-8")
    for title, lines in (("found", draft.found), ("to check", draft.check)):
        print(f"{title}:")
        for line in lines or ["nothing"]:
            print(f"  {line}")
    print(f"\nwritten: {out}")
    return _told_whether_it_opens(out)


def _told_whether_it_opens(out: Path) -> int:
    try:
        source = open_events(out)
    except UnreadableFile as error:
        print(f"it does not work yet: {error}", file=sys.stderr)
        return 1
    print(f"it works as it is: {len(source)} events, {source.detector.num_cells} cells. Correct it, then look:")
    print(f"  arena data inspect {out} --out pictures")
    return 0


def _inspect(given: argparse.Namespace) -> int:
    from data_adapters.inspection import facts, survey

    dataset = _dataset(given.file)
    source = dataset.source if dataset else open_events(_existing(given.file), given.layout, _options(given.option))
    found = survey(source, Console(stderr=True))
    print(source.path)
    for word, text in facts(source, found) + (_twin_facts(dataset) if dataset else []):
        print(f"  {word:{WORD_WIDTH}}{text}")
    if given.out is not None:
        from data_adapters.pictures import draw_pictures

        for path in draw_pictures(source, found, given.out):
            print(path)
    return 0


def _twin_facts(dataset: Dataset) -> list[tuple[str, str]]:
    twin = dataset.twin_source
    lines = [("twin", "none" if twin is None else f"{twin.path.name}, {len(twin)} events: {_part(dataset, twin)}")]
    if dataset.fresh_source is not None:
        lines.append(("fresh", f"{dataset.fresh_source.path.name}, {len(dataset.fresh_source)} events: a third time"))
    if dataset.independent is not None:
        lines.append(("independent", dataset.independent.name))
    return [*lines, ("provenance", dataset.provenance)]


def _part(dataset: Dataset, twin: EventSource) -> str:
    import numpy as np

    share = float(np.isin(dataset.source.identity, twin.identity).mean())
    return f"the same particles again, of {share:.0%} of the sample"


def _validate(given: argparse.Namespace) -> int:
    from data_adapters.validation import validate

    console = Console(stderr=True)
    dataset = _dataset(given.file)
    if dataset is None:
        return _print_report(validate(_existing(given.file), console, given.layout, _options(given.option)))
    beside = [path for path in (dataset.twin, dataset.fresh, dataset.independent) if path is not None]
    reports = [validate(dataset.file, console, dataset.layout)]
    reports += [validate(path, console, dataset.layout, trained_with=False) for path in beside]
    status = max(_print_report(report) for report in reports)
    if status == 0 and dataset.twin_source is not None:
        print(f"{dataset.name}: the twin holds particles of the sample")
    return status


def _print_report(report: Report) -> int:
    for problem in report.problems:
        print(f"{report.path}: error: {problem}")
    for problem in report.warnings:
        print(f"{report.path}: warning: {problem}")
    if report.fine:
        print(f"{report.path}: fine: {report.summary}")
        return 0
    print(f"{report.path}: {_count(report.problems, 'error')}, {_count(report.warnings, 'warning')}")
    return 1


def _count(problems: Sequence[Problem], word: str) -> str:
    return f"{len(problems)} {word}{'' if len(problems) == 1 else 's'}"


def _convert(given: argparse.Namespace) -> int:
    from data_adapters.convert import convert

    dataset = _dataset(given.file)
    path = dataset.file if dataset else _existing(given.file)
    layout = given.layout or written_layout(given.out)
    input_layout = given.input_layout or (dataset.layout if dataset else None)
    done = convert(path, given.out, layout, _options(given.option), given.force, input_layout)
    print(f"{done.num_events} events written: {', '.join(map(str, done.files))}")
    for sentence in done.not_held:
        print(f"  {sentence}")
    return 0


def written_layout(out: Path) -> str:
    """The arena's own layout of a suffix. Raises: InvalidCommand if there is none."""
    layout = WRITTEN_LAYOUTS.get(out.suffix.lower())
    if layout is None:
        suffixes = ", ".join(WRITTEN_LAYOUTS)
        raise InvalidCommand(f"{out}: which layout is meant? Give --layout, or one of the suffixes {suffixes}")
    return layout


def _make(given: argparse.Namespace) -> int:
    from data_adapters.simulators.component import InvalidRequest, Request
    from data_adapters.simulators.registry import SIMULATORS

    simulator = SIMULATORS[given.name]
    if given.events is None and given.twin_of is None:
        raise InvalidRequest("how many events? Give --events N")
    request = Request(
        events=given.events or 0 if given.twin_of else given.events,
        out=given.out,
        seed=given.seed,
        processes=given.processes,
        twin_of=given.twin_of,
        force=given.force,
        options=_options(given.option),
    )
    number = simulator.make(request)
    print(f"{number} events written: {given.out}")
    print(f"  {simulator.provenance}")
    return 0


def _dataset(name: str) -> Dataset | None:
    """The dataset of that name; None where a path is meant."""
    return DATASETS[name] if name in DATASETS and not Path(name).exists() else None


def _existing(name: str) -> Path:
    path = Path(name)
    if path.exists():
        return path
    if path.suffix or len(path.parts) > 1:
        raise FileNotFoundError(2, "there is no such file", name)
    raise UnknownName("file or dataset", name, DATASETS)
