"""A generator as an ONNX program.

The exporter that traces is used: it writes the version of the operators that it is asked for, which old runtimes inside
simulations need; the newer exporter writes a later one than it is asked for.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.onnx.utils import register_custom_op_symbolic

OPSET = 15
RESPONSE = "response"
EVENTS = "events"  # name of the axis whose length is free


def onnx_program(module: nn.Module, names: Sequence[str], example: Sequence[Tensor], *, free: bool = True) -> bytes:
    """The program as a file's content, with float32 inputs.

    Args:
        names: Of the inputs.
        example: Inputs as ``module`` takes them; several events where their number is free.
        free: Whether the number of events is free; else it is that of the example.
    Raises: CannotExport if an operation has no counterpart in ONNX, or the file is not what was asked for.
    """
    axes = {name: {0: EVENTS} for name in (*names, RESPONSE)} if free else {}
    _register()
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
            file = Path(folder) / "model.onnx"
            warnings.simplefilter("ignore")  # that this exporter is the older one, and that shapes are constants
            torch.onnx.export(
                module,
                tuple(example),
                file,
                dynamo=False,
                opset_version=OPSET,
                input_names=list(names),
                output_names=[RESPONSE],
                dynamic_axes=axes,
            )
            content = file.read_bytes()
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise CannotExport(f"it uses what ONNX cannot express: {str(error).splitlines()[0][:300]}") from error
    check_program(content)
    return content


class CannotExport(ValueError):
    """A model that has no form that the target reads; the message says why."""


def check_program(content: bytes) -> onnx.ModelProto:
    """The program in a file, after a look at what it says of itself.

    Raises: CannotExport if its operators are of another version than was asked for, or its inputs no float32.
    """
    program = onnx.load_from_string(content)
    versions = {item.domain: item.version for item in program.opset_import}
    if versions.keys() - {""} or versions[""] > OPSET:
        raise CannotExport(f"the operators of the file are {versions}; at most version {OPSET} of ONNX's own are read")
    onnx.checker.check_model(program, full_check=True)
    wrong = [item.name for item in program.graph.input if item.type.tensor_type.elem_type != onnx.TensorProto.FLOAT]
    if wrong:
        raise CannotExport(f"the inputs {', '.join(wrong)} are not float32")
    return program


def _register() -> None:
    """Operations that the exporter does not know, or takes for something else than they are."""
    register_custom_op_symbolic("aten::hypot", _hypot, OPSET)
    register_custom_op_symbolic("aten::sinh", _sinh, OPSET)
    register_custom_op_symbolic("aten::expm1", _expm1, OPSET)
    register_custom_op_symbolic("aten::contiguous", _same, OPSET)
    register_custom_op_symbolic("aten::sigmoid", _sigmoid, OPSET)


def _hypot(graph: Any, x: Any, y: Any) -> Any:
    return graph.op("Sqrt", graph.op("Add", graph.op("Mul", x, x), graph.op("Mul", y, y)))


def _sinh(graph: Any, x: Any) -> Any:
    return graph.op("Sinh", x)


def _expm1(graph: Any, x: Any) -> Any:
    """2 exp(x/2) sinh(x/2): exp(x) - 1 would round small values away."""
    half = graph.op("Mul", x, graph.op("Constant", value_t=torch.tensor(0.5)))
    wave = graph.op("Sinh", half)
    return graph.op("Mul", graph.op("Exp", half), graph.op("Add", wave, wave))


def _sigmoid(graph: Any, x: Any) -> Any:
    """Written out: ONNX Runtime's own has an absolute error of 1e-7, which is much of what a faint cell holds."""
    one = graph.op("Constant", value_t=torch.tensor(1.0))
    return graph.op("Reciprocal", graph.op("Add", one, graph.op("Exp", graph.op("Neg", x))))


def _same(_graph: Any, values: Any, _memory_order: Any) -> Any:
    """Memory order is nothing that a program in ONNX knows."""
    return values
