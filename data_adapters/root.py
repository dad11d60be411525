"""Reading ROOT trees that come from elsewhere: what is wrong is said with file, branch and mend.

Only trees of numbers are read (TTree or RNTuple; one number, a fixed-size array or a variable-length list an entry).
Objects are not: they would have to be interpreted with classes that the file itself describes.
"""

# Axes: N entries of the tree, n entries that were asked for.
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward
import numpy as np
import uproot
from numpy.typing import NDArray

from data_adapters.problems import Problem, UnreadableFile
from data_adapters.registry import UnknownName

SUFFIXES = (".root",)
MAGIC = b"root"
TREE_CLASSES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")


@dataclass(frozen=True)
class Needed:
    """A branch that a layout needs.

    ``shape`` is that of one entry (of one element, where ``jagged``), None for any size; () is one number.
    """

    branch: str
    shape: tuple[int | None, ...] = ()
    jagged: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Jagged:
    """Lists of different length.

    Attributes:
        values: All elements one after the other, shape (sum of counts, …).
        counts: Elements of each entry, shape (n,).
    """

    values: NDArray[Any]
    counts: NDArray[np.int64]


@contextmanager
def open_root(path: Path) -> Iterator[Any]:
    """A ROOT file for reading (an ``uproot.ReadOnlyDirectory``).

    Raises: UnreadableFile if it is missing, truncated or no ROOT file.
    """
    if not path.is_file():
        raise UnreadableFile(path, Problem("there is no such file", "Check the path"))
    if not _is_root(path):
        raise UnreadableFile(path, Problem("it is no ROOT file (it does not begin with 'root')", "Check the path"))
    with _damage_named(path):
        file = uproot.open(path, array_cache=None)
    with file:
        length, expected = path.stat().st_size, int(file.file.fEND)
        if length < expected:
            raise UnreadableFile(
                path, Problem(f"it is truncated: {length} of {expected} bytes are there", "Copy it again")
            )
        yield file


def keys_of(path: Path) -> frozenset[str]:
    """Names of all branches as "tree/branch"; empty for a file that is no ROOT file.

    Raises: UnreadableFile if it is a damaged one.
    """
    if not path.is_file() or not _is_root(path):
        return frozenset()
    with open_root(path) as file, _damage_named(path):
        return frozenset(f"{name}/{branch}" for name in _trees(file) for branch in file[name].keys())  # noqa: SIM118


def tree(file: Any, name: str, path: Path) -> Any:
    """A tree of an open file (an ``uproot.TTree``).

    Raises: UnreadableFile if it is missing (the nearest name is offered) or not a TTree.
    """
    with _damage_named(path):
        classes = {key.partition(";")[0]: str(kind) for key, kind in file.classnames().items()}
    if name not in classes:
        trees = _trees(file)
        what = str(UnknownName("tree", name, trees)) if trees else f"no tree {name!r}, nor any other tree"
        raise UnreadableFile(path, Problem(what, "Rename it, or choose the layout"))
    if classes[name] not in TREE_CLASSES:
        raise UnreadableFile(
            path, Problem(f"it is a {classes[name]}; a TTree is needed", "Write it as a TTree (uproot: mktree)", name)
        )
    with _damage_named(path, name):
        return file[name]


def strings_of(path: Path) -> dict[str, str]:
    """The texts (TObjString) at the top of a file, by name.

    Raises: UnreadableFile.
    """
    with open_root(path) as file, _damage_named(path):
        classes = file.classnames(recursive=False)
        return {key.partition(";")[0]: str(file[key]) for key, kind in classes.items() if kind == "TObjString"}


def check_branches(path: Path, tree_name: str, needed: Iterable[Needed]) -> int:
    """Number of entries, after all branches of a layout were looked at.

    Raises: UnreadableFile with every branch that is missing, of a wrong shape or type, or of another length, and for a
        tree without entries.
    """
    problems: list[Problem] = []
    with open_root(path) as file:
        found = tree(file, tree_name, path)
        num_entries = int(found.num_entries)
        with _damage_named(path, tree_name):
            for item in needed:
                problems += _wrong(found, item, num_entries)
    if problems:
        raise UnreadableFile(path, *problems)
    if num_entries == 0:
        raise UnreadableFile(path, Problem("it holds no events", "Give a file with events", tree_name))
    return num_entries


def entry_shape(path: Path, tree_name: str, branch: str) -> tuple[int, ...]:
    """Shape of one entry of a flat or fixed-size branch; () for one number.

    Raises: UnreadableFile if it is missing or neither of them.
    """
    with open_root(path) as file:
        found = _branch(tree(file, tree_name, path), branch, path)
        with _damage_named(path, branch):
            content = _numbers(found)
            jagged = _is_jagged(found)
    if content is None or jagged:
        raise UnreadableFile(
            path, Problem(f"it holds {found.typename}; an array of fixed size is needed", "Choose the layout", branch)
        )
    return tuple(content.shape)


def read_fixed(
    path: Path, tree_name: str, branches: Sequence[str], start: int = 0, stop: int | None = None
) -> dict[str, NDArray[Any]]:
    """Entries of flat and fixed-size branches, each (n,) or (n, …), in the types of the file.

    Raises: UnreadableFile.
    """
    values: dict[str, NDArray[Any]] = {}
    with open_root(path) as file:
        found = tree(file, tree_name, path)
        for name in branches:
            branch = _branch(found, name, path)
            with _damage_named(path, name):
                values[name] = np.asarray(branch.array(entry_start=start, entry_stop=stop, library="np"))
    return values


def read_jagged(
    path: Path, tree_name: str, branches: Sequence[str], start: int = 0, stop: int | None = None
) -> dict[str, Jagged]:
    """Entries of variable-length branches, in the types of the file.

    Raises: UnreadableFile.
    """
    values: dict[str, Jagged] = {}
    with open_root(path) as file:
        found = tree(file, tree_name, path)
        for name in branches:
            branch = _branch(found, name, path)
            with _damage_named(path, name):
                array = branch.array(entry_start=start, entry_stop=stop, library="ak")
                counts = np.asarray(awkward.num(array, axis=1), dtype=np.int64)
                values[name] = Jagged(np.asarray(awkward.flatten(array, axis=1)), counts)
    return values


def read_column(path: Path, tree_name: str, branch: str) -> NDArray[np.float64]:
    """A whole flat or fixed-size branch as float64, shape (N,) or (N, …).

    Raises: UnreadableFile.
    """
    return read_fixed(path, tree_name, [branch])[branch].astype(np.float64)


@dataclass(frozen=True)
class RootResponse:
    """Reads entries of a fixed-size branch as float32, flattened to (n, V)."""

    path: Path
    tree_name: str
    branch: str

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        values = read_fixed(self.path, self.tree_name, [self.branch], start, stop)[self.branch]
        return values.reshape(len(values), -1).astype(np.float32, copy=False)


def chunk_rows(path: Path, tree_name: str, branch: str) -> int:
    """Entries that the first basket of a branch holds; 1000 where there is none."""
    with open_root(path) as file:
        found = _branch(tree(file, tree_name, path), branch, path)
        with _damage_named(path, branch):
            if isinstance(found, uproot.models.RNTuple.RField):
                return max(1, min(1000, int(found.num_entries)))
            if found.num_baskets == 0:
                return 1000
            first, last = found.basket_entry_start_stop(0)
    return max(1, int(last - first))


@contextmanager
def _damage_named(path: Path, key: str | None = None) -> Iterator[None]:
    """Turns whatever uproot raises over damaged bytes (of ten different kinds, at least) into an UnreadableFile."""
    try:
        yield
    except UnreadableFile:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise UnreadableFile(
            path,
            Problem(f"not readable as ROOT ({type(error).__name__}: {text})", "Is it complete? Copy it again", key),
        ) from error


def _is_root(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _trees(file: Any) -> list[str]:
    return sorted({key.partition(";")[0] for key, kind in file.classnames().items() if kind in TREE_CLASSES})


def _branch(found: Any, name: str, path: Path) -> Any:
    if name not in found:
        raise UnreadableFile(path, _missing(found, name))
    return found[name]


def _missing(found: Any, name: str) -> Problem:
    known = found.keys()
    what = str(UnknownName("branch", name, known)) if known else f"no branch {name!r}: the tree has none"
    return Problem(what, "Rename it, or choose the layout")


def _wrong(found: Any, item: Needed, num_entries: int) -> list[Problem]:
    if item.branch not in found:
        return [] if item.optional else [_missing(found, item.branch)]
    branch = found[item.branch]
    content = _numbers(branch)
    if content is None:
        return [Problem(f"it holds {branch.typename}; numbers are needed", "Write it as numbers", item.branch)]
    problems = []
    if not _fits(content.shape, item.shape) or _is_jagged(branch) != item.jagged:
        have = _words(content.shape, _is_jagged(branch))
        want = _words(item.shape, item.jagged)
        problems.append(Problem(f"an entry is {have}; {want} is needed", "Choose the layout", item.branch))
    if branch.num_entries != num_entries:
        what = f"it has {branch.num_entries} entries, the tree {num_entries}"
        problems.append(Problem(what, "Each branch needs one entry an event: write the file again", item.branch))
    return problems


def _numbers(branch: Any) -> np.dtype[Any] | None:
    """Type of one entry (one element, where it is jagged); None where it holds no numbers."""
    if isinstance(branch, uproot.models.RNTuple.RField):
        form = _form(branch)
        return _numbers_of(form.content if _is_jagged(branch) else form)
    interpretation = branch.interpretation
    if _is_jagged(branch):
        interpretation = interpretation.content
    if not isinstance(interpretation, uproot.interpretation.numerical.Numerical):
        return None
    dtype = np.dtype(interpretation.to_dtype)
    return dtype if np.issubdtype(dtype.base, np.number) or dtype.base == np.bool_ else None


def _is_jagged(branch: Any) -> bool:
    if isinstance(branch, uproot.models.RNTuple.RField):
        form = _form(branch)
        return isinstance(form, awkward.forms.ListOffsetForm) and form.parameter("__array__") is None  # no text
    return isinstance(branch.interpretation, uproot.AsJagged)


def _form(field: Any) -> Any:
    """What a field of an RNTuple holds, in the terms of awkward."""
    return field.to_akform()[0].contents[0]


def _numbers_of(form: Any) -> np.dtype[Any] | None:
    shape: tuple[int, ...] = ()
    while isinstance(form, awkward.forms.RegularForm):
        shape, form = (*shape, form.size), form.content
    return np.dtype((form.primitive, shape)) if isinstance(form, awkward.forms.NumpyForm) else None


def _fits(have: tuple[int, ...], want: tuple[int | None, ...]) -> bool:
    return len(have) == len(want) and all(size in (None, found) for size, found in zip(want, have, strict=True))


def _words(shape: tuple[int | None, ...], jagged: bool) -> str:
    sizes = " × ".join("any" if size is None else str(size) for size in shape)
    element = f"an array of {sizes} numbers" if shape else "one number"
    return f"a list of variable length ({element} each)" if jagged else element
