"""Programs in ONNX, run by ONNX Runtime alone: nothing here needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def open_session(file: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """A program ready to run on the CPU. Raises: FileNotFoundError; ValueError for a file that is no such program."""
    if not file.is_file():
        raise FileNotFoundError(2, "there is no such file", str(file))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class but this one
        raise ValueError(f"{file}: not a program that ONNX Runtime runs ({error})") from error


def input_names(session: onnxruntime.InferenceSession) -> list[str]:
    """As the file has them."""
    return [str(item.name) for item in session.get_inputs()]


def run(session: onnxruntime.InferenceSession, inputs: Mapping[str, Floats]) -> Floats:
    """The first output. Inputs that the program does not have (it ignores them) may be given.

    Raises: ValueError if an input is missing, or has a shape that the program does not take.
    """
    missing = [name for name in input_names(session) if name not in inputs]
    if missing:
        raise ValueError(f"the inputs {', '.join(missing)} are missing; given are {', '.join(inputs)}")
    given = {name: np.ascontiguousarray(inputs[name], dtype=np.float32) for name in input_names(session)}
    try:
        return np.asarray(session.run(None, given)[0])
    except Exception as error:  # its errors have no common class but this one
        shapes = {name: values.shape for name, values in given.items()}
        raise ValueError(f"the program does not take inputs of the shapes {shapes}: {error}") from error
