"""From a trained generator to a folder that a simulation can use."""

# Axes: N golden events.
from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_adapters.datasets import DATASETS
from leaderboard.export.contract import TOLERANCE, Golden, contract_of
from leaderboard.export.files import CARD_FILE, CONTRACT_FILE, ENTRY_COPY, GOLDEN_FILE, MODEL_FILE, NOTICE_FILE
from leaderboard.export.latency import measure_latency
from leaderboard.export.model_card import model_card, notice
from leaderboard.export.readers import READERS
from leaderboard.export.runtime import open_session, run
from leaderboard.generation import drawn_conditions
from leaderboard.records import JsonObject
from leaderboard.trained import Trained
from models.checkpoint import load_generator
from models.export.onnx_program import CannotExport, onnx_program
from models.export.physical_generator import PhysicalGenerator
from models.export.targets import TARGETS, Choices, Program, Target, program_for

GOLDEN_EVENTS, GOLDEN_SEED = 16, 20_000_000
SMALLEST = 1e-30


def export_model(
    trained: Trained,
    target: Target,
    choices: Choices,
    out: Path,
    on_step: Callable[[str], None] = lambda _step: None,
) -> JsonObject:
    """Write the folder; it is there as a whole or not at all.

    Args:
        on_step: Told what is done next.
    Returns: The contract.
    Raises: CannotExport if the target cannot run the model, or ONNX Runtime gives something else than torch;
        CannotRead if the simulation that it is for could not read it;
        FileExistsError if ``out`` is there already; UnknownName.
    """
    if out.exists():
        raise FileExistsError(17, "it is there already; give another folder", str(out))
    on_step("tracing")
    module = PhysicalGenerator(trained.generator(), choices.fixed)
    program = program_for(target, module, choices)
    inputs = _golden_inputs(trained, module, program, target)
    content = onnx_program(_as_module(program), program.input_names, inputs, free=not target.one_event)
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        (folder / MODEL_FILE).write_bytes(content)
        on_step("comparing with torch")
        golden = _golden(folder / MODEL_FILE, program, inputs)
        _read_as_the_simulation(target, folder / MODEL_FILE, golden)
        np.savez(folder / GOLDEN_FILE, allow_pickle=False, **golden.inputs, response=golden.response)
        contract = contract_of(trained, module, target, choices, content, golden)
        _write_json(folder / CONTRACT_FILE, contract)  # the timing process reads it
        on_step("timing")
        contract["latency"] = measure_latency(folder, trained.checkpoint)
        _write_json(folder / CONTRACT_FILE, contract)
        for name, text in target.further_files(module, choices).items():
            (folder / name).write_text(text, encoding="utf-8")
        (folder / CARD_FILE).write_text(model_card(contract, trained.entry), encoding="utf-8")
        (folder / NOTICE_FILE).write_text(notice(trained.entry), encoding="utf-8")
        if trained.entry is not None:
            _write_json(folder / ENTRY_COPY, trained.entry)
        folder.chmod(0o755)
        folder.rename(out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return contract


def program_of_contract(contract: JsonObject, checkpoint: Path) -> Program:
    """The module that an exported program was traced from."""
    choices = Choices(**contract["choices"])
    module = PhysicalGenerator(load_generator(checkpoint), choices.fixed)
    return program_for(TARGETS[contract["target"]], module, choices)


def _golden_inputs(trained: Trained, module: PhysicalGenerator, program: Program, target: Target) -> tuple[Tensor, ...]:
    conditions = _golden_conditions(trained, module)
    tensors = {name: torch.from_numpy(values) for name, values in conditions.items()}
    random = torch.Generator().manual_seed(GOLDEN_SEED)
    noise = torch.randn(GOLDEN_EVENTS, module.generator.latent_dim, generator=random)
    inputs = program.inputs(tensors, noise)
    return tuple(values[:1] for values in inputs) if target.one_event else inputs


def _golden_conditions(trained: Trained, module: PhysicalGenerator) -> Mapping[str, NDArray[np.float64]]:
    """From the validation events of the entry's dataset, where it is at hand; else drawn from the trained range."""
    detector = module.generator.detector
    name = "" if trained.entry is None else str(trained.entry["dataset"]["name"])
    if name in DATASETS and DATASETS[name].detector == detector:
        dataset = DATASETS[name]
        rows = dataset.rows("validation")
        rows = rows[np.linspace(0, len(rows) - 1, GOLDEN_EVENTS).astype(np.intp)]
        return {condition: values[rows] for condition, values in dataset.source.conditions.items()}
    return drawn_conditions(detector, GOLDEN_EVENTS, module.fixed, trained.trained_range, GOLDEN_SEED).columns


def _golden(file: Path, program: Program, inputs: tuple[Tensor, ...]) -> Golden:
    """Raises: CannotExport if the two runtimes differ by more than ``TOLERANCE``."""
    with torch.no_grad():
        response = program(*inputs).numpy()
    session = open_session(file)
    by_name = {name: values.numpy() for name, values in zip(program.input_names, inputs, strict=True)}
    used = {item.name for item in session.get_inputs()}
    by_name = {name: values for name, values in by_name.items() if name in used}
    difference = largest_difference(run(session, by_name), response)
    alone = {name: values[:1] for name, values in by_name.items()}
    difference = max(difference, largest_difference(run(session, alone), response[:1]))
    if not difference <= TOLERANCE:
        raise CannotExport(
            f"ONNX Runtime differs from torch by {difference:.2g} of the largest cell; {TOLERANCE:g} is allowed. "
            "Please report this with the configuration of the model"
        )
    return Golden(list(program.input_names), by_name, response, difference)


def _read_as_the_simulation(target: Target, file: Path, golden: Golden) -> None:
    """Raises: CannotExport, CannotRead if the simulation that the file is for would not get what torch gave."""
    if target.name not in READERS:
        return
    found = READERS[target.name](file, golden.inputs, golden.response.shape[1])[None]
    difference = largest_difference(found.astype(np.float32), golden.response[:1])
    if not difference <= TOLERANCE:
        raise CannotExport(f"{target.title} would get a response that differs by {difference:.2g} of the largest cell")


def largest_difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Of two responses (N, V), over the largest cell of the event; infinite where one is not finite."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    largest = np.maximum(np.abs(expected).max(axis=1, keepdims=True), SMALLEST)
    return float((np.abs(found.astype(np.float64) - expected) / largest).max())


def _as_module(program: Program) -> torch.nn.Module:
    assert isinstance(program, torch.nn.Module)
    return program.eval()


def _write_json(path: Path, content: JsonObject) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
