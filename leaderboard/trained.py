"""Where the trained generator of an entry lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from data_adapters.registry import UnknownName
from leaderboard.generation import Range
from leaderboard.records import (
    ENTRY_FILE,
    InvalidEntry,
    JsonObject,
    check_entry,
    read_board,
    read_json,
    read_observables,
)

if TYPE_CHECKING:
    from models.base import ShowerGenerator

SEED_FILE = "seed.json"  # as ``leaderboard.training`` writes it; named here because that module needs torch
BOARD = "leaderboard"


class NotFound(FileNotFoundError):
    """A trained generator that is not where it should be; the message says where it was looked for."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(2, message, str(path))


@dataclass(frozen=True)
class Trained:
    """A trained generator on disk.

    Attributes:
        folder: Of the training, with ``seed.json``.
        checkpoint: Folder of the checkpoint.
        trained_range: Condition → least and largest value in the training sample; empty where it is not known.
        entry: Of the leaderboard; None for a training that is looked at by itself.
    """

    folder: Path
    checkpoint: Path
    seed: int
    title: str
    trained_range: dict[str, Range] = field(default_factory=dict)
    entry: JsonObject | None = None

    def generator(self) -> ShowerGenerator:
        """Raises: UnreadableCheckpoint."""
        from models.checkpoint import load_generator

        return load_generator(self.checkpoint)

    @property
    def origin(self) -> str:
        """What was trained, for provenance: the entry and the seed."""
        name = self.title if self.entry is None else f"{self.title} ({self.entry['id']})"
        return f"{name}, seed {self.seed}"


def find_trained(what: str, output: Path, seed: int | None = None) -> Trained:
    """The trained generator of an entry, or in a folder.

    Args:
        what: Id of an entry of the board, the path of its ``entry.json``, or the folder of a training.
        output: Where searches are kept.
        seed: Which of an entry's trainings; by default the one that its page shows, which has the median score.
    Raises: NotFound, UnknownName; ValueError for an entry without a generator, or a seed that it does not have.
    """
    folder = Path(what)
    if (folder / SEED_FILE).is_file():
        return _in_folder(folder, None)
    entry = _entry(what, output)
    if entry["provenance"].get("origin") == "submitted" or not entry["seeds"]:
        raise ValueError(f"{entry['id']} ({entry['title']}) has no generator here: it cannot generate anything new")
    number = _seed(entry, output, seed)
    return _in_folder(_folder_of(entry["id"], number, output), entry)


def _in_folder(folder: Path, entry: JsonObject | None) -> Trained:
    record = read_json(folder / SEED_FILE)
    if entry is None and (folder / ENTRY_FILE).is_file():
        entry = read_json(folder / ENTRY_FILE)
        check_entry(entry)
    if record.get("checkpoint") is None:
        raise NotFound(f"the training {record.get('status')}: it left no generator", folder)
    return Trained(
        folder=folder,
        checkpoint=folder / Path(record["checkpoint"]).name,
        seed=record["seed"],
        title=str(record["job"]["model"]) if entry is None else entry["title"],
        trained_range={name: (low, high) for name, (low, high) in record.get("trained_range", {}).items()},
        entry=entry,
    )


def _entry(what: str, output: Path) -> JsonObject:
    path = Path(what)
    if path.name == ENTRY_FILE and path.is_file():
        entry = read_json(path)
        check_entry(entry)
        return entry
    board = output / BOARD
    if not board.is_dir():
        raise NotFound(f"there is no leaderboard, and {what} is no folder of a training; name it with --output", board)
    entries = {entry["id"]: entry for entry in read_board(board).entries}
    if what not in entries:
        raise UnknownName("entry", what, entries)
    return entries[what]


def _seed(entry: JsonObject, output: Path, wanted: int | None) -> int:
    completed = [seed["seed"] for seed in entry["seeds"] if seed["status"] == "completed"]
    if wanted is not None and wanted not in completed:
        raise ValueError(f"{entry['id']} has no completed seed {wanted}; it has {', '.join(map(str, completed))}")
    if wanted is not None:
        return wanted
    try:
        shown = read_observables(output / BOARD, entry["id"]).get("seed")
    except InvalidEntry:
        shown = None
    if shown is not None and shown in completed:
        return int(shown)
    scored = [seed for seed in entry["seeds"] if seed["score"] is not None]
    ordered = sorted(scored, key=lambda seed: float(seed["score"]))
    if not ordered:
        raise ValueError(f"{entry['id']} has no completed seed: no generator came of it")
    return int(ordered[(len(ordered) - 1) // 2]["seed"])


def _folder_of(name: str, seed: int, output: Path) -> Path:
    """Raises: NotFound if no search in there trained it, or its checkpoints are gone."""
    found = sorted(output.glob(f"*/*/final/{name}/seed-{seed}/{SEED_FILE}"))
    if not found:
        raise NotFound(
            f"{name}: no search in this folder has the checkpoint of seed {seed}. Was it trained elsewhere? Then arena "
            "replay trains it again (--keep keeps the checkpoint)",
            output,
        )
    return found[0].parent
