"""How much disk the checkpoints of a search may take, and which go first."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from search.engine.ledger import Ledger
from search.engine.objectives import Objectives
from search.engine.pareto import in_order, pareto_set
from search.engine.study import StudyError

RESERVE_BYTES = 200 * 2**20  # for records, pages and pictures; no search begins with less
NEVER_REMOVED = 3  # checkpoints of the best trials: they are judged again


@dataclass(frozen=True)
class Need:
    """Checkpoints of a search.

    Attributes:
        each: Bytes of one checkpoint: networks, optimisers, random states.
        trials: That keep their best one; None where only time limits the search.
        running: Trials at a time, each with its last one beside.
        final: Seeds that are trained from scratch, each with a best and a last one.
    """

    each: int
    trials: int | None
    running: int
    final: int

    @property
    def unavoidable(self) -> int:
        """Bytes without which the search cannot run."""
        return self.each * (2 * self.running + 2 * self.final + NEVER_REMOVED)

    @property
    def total(self) -> int | None:
        """Bytes if every trial keeps its best checkpoint."""
        return None if self.trials is None else self.each * (self.trials + self.running + 2 * self.final)


class CheckpointBudget:
    """Keeps the best checkpoints of ended trials within a size.

    Args:
        of_trials: What they may take together [bytes].
        trials_folder: Where the folders of the trials are.
    """

    def __init__(self, of_trials: int, trials_folder: Path, objectives: Objectives) -> None:
        self.of_trials = of_trials
        self._folder, self._objectives = trials_folder, objectives
        self._sizes: dict[int, int] = {}

    def enforce(self, ledger: Ledger) -> list[int]:
        """Remove checkpoints of the worst trials until the others fit; returns the numbers of those trials.

        What the ledger says of a trial stays.
        """
        for _, end in ledger.ended:
            if end.status != "preempted" and end.number not in self._sizes:
                self._sizes[end.number] = folder_bytes(self._best(end.number))
        removed: list[int] = []
        if sum(self._sizes.values()) <= self.of_trials:
            return removed
        ranked = _best_first(ledger, self._objectives)
        order = [*ranked, *(number for number in self._sizes if number not in set(ranked))]
        while sum(self._sizes.values()) > self.of_trials and len(order) > NEVER_REMOVED:
            worst = order.pop()
            if self._sizes.get(worst):
                self._sizes[worst] = 0
                shutil.rmtree(self._best(worst), ignore_errors=True)
                removed.append(worst)
        return removed

    def _best(self, number: int) -> Path:
        return self._folder / f"{number:04d}" / "best"


def room_for_trials(need: Need, folder: Path, asked: int | None) -> tuple[int, str]:
    """What is left for the best checkpoints of ended trials [bytes], and a sentence about it.

    Args:
        folder: Of the search; what it holds already counts as room.
        asked: Bytes for all checkpoints together; None for what the disk has.
    Raises: StudyError if not even what cannot be avoided fits.
    """
    free = shutil.disk_usage(folder).free
    limit = free - RESERVE_BYTES + folder_bytes(folder)
    limit = limit if asked is None else min(limit, asked)
    if need.unavoidable > limit:
        raise StudyError(
            f"{folder}: checkpoints of {size(need.each)} each take at least {size(need.unavoidable)}; there is room "
            f"for {size(max(0, limit))}. Free some space, raise --checkpoint-gb, or run fewer at a time (--concurrent)"
        )
    of_trials = limit - need.each * (need.running + 2 * need.final)
    total = need.total
    if total is not None and total <= limit:
        return of_trials, f"Checkpoints take up to {size(total)} in all; {size(free)} are free."
    return of_trials, (
        f"Checkpoints take up to {size(limit)} in all ({size(free)} are free): "
        f"the best {of_trials // need.each} trials keep theirs."
    )


def folder_bytes(folder: Path) -> int:
    """Size of the files in a folder; 0 if there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count / 1000:.3g} kB"


def _best_first(ledger: Ledger, objectives: Objectives) -> list[int]:
    ranked = [*(pareto_set(ledger, objectives) if objectives.several else []), *in_order(ledger)]
    return list(dict.fromkeys(start.number for start, _ in ranked))
