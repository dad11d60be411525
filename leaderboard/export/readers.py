"""How simulations read an exported file, step by step, without them: what would not work there does not work here."""

# Axes: V cells.
from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from leaderboard.export.runtime import open_session

FLOAT = "tensor(float)"


class CannotRead(ValueError):
    """A file that a simulation could not run; the message says where it would stop."""


def as_par04(file: Path, vector: NDArray[np.float32], cells: int) -> NDArray[np.float64]:
    """Fractions of the incident energy, (V,), as Par04OnnxInference gets them.

    It keeps the name of the last input, makes a tensor of shape [1, numbers] whatever the file says, and copies as many
    values from the first output as its mesh has cells.

    Args:
        vector: Latent numbers, then energy, angle and geometry as the example scales them, shape (Z + 4,).
    Raises: CannotRead.
    """
    session = open_session(file)
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise CannotRead(f"{file}: it has {len(inputs)} inputs ({_names(inputs)}); Par04 fills one")
    _check_float(file, inputs)
    wanted = _ones_for_free(inputs[0].shape)
    if wanted != [1, vector.size]:
        raise CannotRead(f"{file}: its input has the shape {wanted}; Par04 gives [1, {vector.size}]")
    output = session.run(None, {inputs[0].name: vector.astype(np.float32).reshape(1, -1)})[0]
    if output.size < cells:
        raise CannotRead(f"{file}: its output has {output.size} numbers; the mesh has {cells} cells")
    return np.asarray(output, dtype=np.float64).ravel()[:cells]


def as_fastcalosim(file: Path, inputs: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Output name → number, as TFCSONNXHandler gives them.

    It asks the file for the names of its inputs and their sizes (what is free becomes 1), fills each with the numbers
    that the simulation has under that name, in the order of their own names as text, and flattens the outputs.

    Args:
        inputs: Input → name of each number → its value.
    Raises: CannotRead.
    """
    session = open_session(file)
    needed = session.get_inputs()
    _check_float(file, needed)
    given = {}
    for item in needed:
        if item.name not in inputs:
            raise CannotRead(f"{file}: it wants the input {item.name}; FastCaloSim has {', '.join(inputs)}")
        values = [value for _, value in sorted(inputs[item.name].items())]
        shape = _ones_for_free(item.shape)
        if len(values) < math.prod(shape):
            raise CannotRead(f"{file}: {item.name} has the shape {shape}; FastCaloSim gives {len(values)} numbers")
        given[item.name] = np.array(values[: math.prod(shape)], dtype=np.float32).reshape(shape)
    found: dict[str, float] = {}
    outputs = session.get_outputs()
    for item, array in zip(outputs, session.run(None, given), strict=True):
        size = math.prod(_ones_for_free(item.shape))
        found |= {f"{item.name}_{number}": float(value) for number, value in enumerate(array.ravel()[:size])}
    return found


def _par04_event(file: Path, inputs: Mapping[str, NDArray[np.float32]], cells: int) -> NDArray[np.float64]:
    (vector,) = inputs.values()
    return as_par04(file, vector[0], cells)


def _fastcalosim_event(file: Path, inputs: Mapping[str, NDArray[np.float32]], cells: int) -> NDArray[np.float64]:
    numbered = {name: {f"variable_{i:06d}": float(x) for i, x in enumerate(rows[0])} for name, rows in inputs.items()}
    found = as_fastcalosim(file, numbered)
    if len(found) != cells:
        raise CannotRead(f"{file}: its outputs have {len(found)} numbers; the detector has {cells} cells")
    return np.array(list(found.values()))


# Target → how its simulation gets the response (V,) to the first of several events, of inputs by name.
READERS: dict[str, Callable[[Path, Mapping[str, NDArray[np.float32]], int], NDArray[np.float64]]] = {
    "par04": _par04_event,
    "fastcalosim": _fastcalosim_event,
}


def _check_float(file: Path, inputs: list[onnxruntime.NodeArg]) -> None:
    wrong = [f"{item.name} ({item.type})" for item in inputs if item.type != FLOAT]
    if wrong:
        raise CannotRead(f"{file}: inputs must be float32; {', '.join(wrong)}")


def _ones_for_free(shape: list[int | str | None]) -> list[int]:
    return [size if isinstance(size, int) and size > 0 else 1 for size in shape]


def _names(inputs: list[onnxruntime.NodeArg]) -> str:
    return ", ".join(item.name for item in inputs)
