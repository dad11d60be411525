"""Train, validation and test, fixed by a hash.

The split of an event follows from its identity alone: not from its place in a file, nor from the
file. So twins (the same photons simulated again) always lie in the same split, adding events moves
no other event, and the three never overlap.
"""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_adapters.events import Events
from data_adapters.registry import UnknownName

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
FRACTIONS: dict[Split, float] = {"train": 0.6, "validation": 0.2, "test": 0.2}


def identities(*columns: NDArray[np.generic]) -> NDArray[np.uint64]:
    """Identity of each event from the columns (each of shape (N,)) that make it unique; shape (N,)."""
    table = np.stack([np.asarray(column, dtype="<f8") for column in columns], axis=1)
    return np.array([_hash64(row.tobytes()) for row in table], dtype=np.uint64)


def identities_with_occurrence(*columns: NDArray[np.generic]) -> NDArray[np.uint64]:
    """Identity where several events may have the very same conditions; shape (N,).

    The how-manieth event with these values it is counts as a further column. So a twin in the same order has the
    same identities, and the showers of one discrete energy spread over all splits.
    """
    occurrence = pd.DataFrame(dict(enumerate(columns))).groupby(list(range(len(columns)))).cumcount()
    return identities(*columns, occurrence.to_numpy())


def split_of(identity: NDArray[np.uint64]) -> NDArray[np.str_]:
    """Name of the split of each event, shape (N,)."""
    uniform = np.array([_hash64(b"split" + value.tobytes()) for value in identity], dtype=np.float64) / 2.0**64
    edges = np.cumsum([FRACTIONS[name] for name in SPLITS])[:-1]
    return np.array(SPLITS)[np.searchsorted(edges, uniform, side="right")]


def rows_of_split(identity: NDArray[np.uint64], split: Split) -> NDArray[np.intp]:
    """Numbers of the events of one split, in the order of the file.

    Raises: UnknownName if there is no such split.
    """
    if split not in SPLITS:
        raise UnknownName("split", split, SPLITS)
    return np.flatnonzero(split_of(identity) == split)


def select_split(events: Events, split: Split) -> Events:
    """The events of one split, in the order of the sample.

    Raises: UnknownName if there is no such split.
    """
    return events.select(rows_of_split(events.identity, split))


def _hash64(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def places_of(identity: NDArray[np.uint64], again: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Where the events of one sample are in another, shape (N,); −1 for those that are not.

    Events that share an identity (tracks of a collision) are told apart by their order.

    Args:
        identity: Shape (N,).
        again: Identities of the other sample, of any length.
    """
    return np.asarray(_numbered(again).get_indexer(_numbered(identity)), dtype=np.intp)


def _numbered(identity: NDArray[np.uint64]) -> pd.MultiIndex:
    """Identities, each with how many events before it have the same."""
    occurrence = pd.Series(identity).groupby(identity).cumcount()
    return pd.MultiIndex.from_arrays([identity, occurrence])
