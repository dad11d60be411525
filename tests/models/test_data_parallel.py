"""Several processes that train one model: the same model as of one process, and no endless wait for a lost one."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, multiprocessing, nn
from torch.multiprocessing.spawn import spawn

from models.base import GenerativeModel
from models.building import build_model
from models.data_parallel import ALONE, LOOPBACK, BatchNorm3d, Processes, join, leave, meeting_point, met_at
from models.storage import read_checkpoint
from tests.models.clic_samples import CLIC_3DGAN_CONFIG, CLIC_3DGAN_LEARNING, clic_electrons
from tests.models.samples import few_events

PATIENCE = timedelta(seconds=15)
# 60 events in mini-batches of 15, which two processes share as 7 and 8; noisy, switched labels; averaged weights.
# Short steps, so that rounding grows slowly.
UNEVEN = {
    **CLIC_3DGAN_CONFIG,
    **CLIC_3DGAN_LEARNING,
    "batch_size": 15,
    "dropout": 0.3,
    "label_noise": 0.1,
    "label_switch": 0.2,
    "decay": 0.01,
    "generator_learning_rate": 1e-4,
    "discriminator_learning_rate": 1e-4,
}
Work = Callable[..., None]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def together(work: Work, *arguments: Any, size: int = 2) -> None:
    """Run ``work(processes, *arguments)`` in several processes. Raises: ProcessRaisedException."""
    store = meeting_point(LOOPBACK, size)
    spawn(_one_of, (store.port, size, work, arguments), size)


def _one_of(rank: int, port: int, size: int, work: Work, arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    work(join(met_at(LOOPBACK, port, size, PATIENCE), rank, size, timeout=PATIENCE), *arguments)
    leave()


def gan(config: Mapping[str, Any], processes: Processes = ALONE) -> GenerativeModel:
    return build_model("clic-3dgan", config, clic_electrons(), seed=1, processes=processes)


def train(
    processes: Processes, config: Mapping[str, Any], epochs: int, folder: Path, begin: Path | None = None
) -> None:
    """Train and write what each process holds into ``<folder>/<rank>``."""
    model = gan(config, processes)
    if begin is not None:
        model.restore(begin)
    losses: dict[str, float] = {}
    while model.epoch < epochs:
        losses = model.train_epoch()
    model.save(folder / str(processes.rank))
    (folder / f"losses-{processes.rank}.json").write_text(json.dumps(losses))


def held(folder: Path) -> dict[str, Tensor]:
    return read_checkpoint(folder)[1]


def assert_same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    together(train, UNEVEN, 2, folder)
    return folder


def test_two_processes_train_the_model_of_one(two_epochs: Path, tmp_path: Path) -> None:
    gan(UNEVEN).save(tmp_path / "begin")
    train(ALONE, UNEVEN, 2, tmp_path)
    start, alone, both = held(tmp_path / "begin"), held(tmp_path / "0"), held(two_epochs / "0")
    weights = [name for name in alone if name.startswith(("generator.", "training.")) and alone[name].dim() > 0]
    for name in weights:
        moved = torch.linalg.vector_norm(alone[name] - start[name])
        apart = torch.linalg.vector_norm(alone[name] - both[name])
        assert apart < 0.05 * moved, name
    losses = [json.loads((folder / "losses-0.json").read_text()) for folder in (tmp_path, two_epochs)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_all_processes_hold_and_report_the_same(two_epochs: Path) -> None:
    assert_same(held(two_epochs / "0"), held(two_epochs / "1"))
    assert (two_epochs / "losses-0.json").read_text() == (two_epochs / "losses-1.json").read_text()


def test_goes_on_bit_for_bit(two_epochs: Path, tmp_path: Path) -> None:
    together(train, UNEVEN, 1, tmp_path / "half")
    together(train, UNEVEN, 2, tmp_path, tmp_path / "half" / "0")
    for rank in "01":
        assert_same(held(tmp_path / rank), held(two_epochs / rank))


def test_one_process_goes_on_from_what_two_have_trained(two_epochs: Path, tmp_path: Path) -> None:
    train(ALONE, UNEVEN, 3, tmp_path, two_epochs / "0")
    assert read_checkpoint(tmp_path / "0")[0]["epoch"] == 3


def normalise(processes: Processes, folder: Path) -> None:
    """Batch normalisation of this process's part, and the gradient of its input."""
    values, gradient = samples()
    layer = normalisation()
    layer.processes = processes
    part = processes.part(values).requires_grad_()
    result = layer(part)
    result.backward(processes.part(gradient))
    found = {"result": result, "gradient": part.grad, "slope": layer.weight.grad, **layer.state_dict()}
    torch.save(found, folder / str(processes.rank))


def samples() -> tuple[Tensor, Tensor]:
    """Input whose mean changes from event to event, and a gradient of the output."""
    random = torch.Generator().manual_seed(1)
    values = torch.randn(7, 3, 4, 2, 2, generator=random) + torch.arange(7.0)[:, None, None, None, None]
    return values, torch.randn(values.shape, generator=random)


def normalisation() -> BatchNorm3d:
    layer = BatchNorm3d(3)
    nn.init.constant_(layer.weight, 1.5)
    return layer


@pytest.mark.parametrize("size", [2, 3])
def test_batch_normalisation_is_that_of_the_whole_mini_batch(size: int, tmp_path: Path) -> None:
    together(normalise, tmp_path, size=size)
    parts = [torch.load(tmp_path / str(rank)) for rank in range(size)]
    values, gradient = samples()
    values.requires_grad_()
    layer = normalisation()
    result = layer(values)
    result.backward(gradient)
    torch.testing.assert_close(torch.cat([part["result"] for part in parts]), result)
    torch.testing.assert_close(torch.cat([part["gradient"] for part in parts]), values.grad)
    torch.testing.assert_close(sum(part["slope"] for part in parts), layer.weight.grad)
    for part in parts:
        torch.testing.assert_close(part["running_mean"], layer.running_mean)
        torch.testing.assert_close(part["running_var"], layer.running_var)


@pytest.mark.parametrize(("rows", "size"), [(7, 2), (16, 3), (5, 5)])
def test_every_event_has_one_process_and_their_weights_give_the_mean(rows: int, size: int) -> None:
    everything = [Processes(rank, size) for rank in range(size)]
    values = torch.arange(float(rows))
    parts = [processes.part(values) for processes in everything]
    assert torch.equal(torch.cat(parts), values)
    means = [processes.weighted(part.mean()) for processes, part in zip(everything, parts, strict=True)]
    assert torch.stack(means).mean().item() == pytest.approx(values.mean().item())


def test_a_mini_batch_smaller_than_the_processes_is_refused() -> None:
    with pytest.raises(ValueError, match="2 events cannot be shared among 3 processes"):
        Processes(0, 3).part(torch.zeros(2, 4))


def test_a_model_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ValueError, match=r"atlas-gan cannot be trained by 2 processes.*clic-3dgan"):
        build_model("atlas-gan", {}, few_events("atlas-photons-geant4"), seed=1, processes=Processes(0, 2))


def lose(processes: Processes, folder: Path, signal_number: int) -> None:
    """The second process is killed or stops; the first one writes down what it notices, and after how long."""
    model = gan(UNEVEN, processes)
    model.train_epoch()
    if processes.rank == 1:
        os.kill(os.getpid(), signal_number)
    began = time.monotonic()
    try:
        model.train_epoch()
    except RuntimeError as error:
        (folder / "noticed").write_text(f"{time.monotonic() - began:.1f} {type(error).__name__}")
    os._exit(0)  # what is lost cannot be left in order


@pytest.mark.parametrize(
    "signal_number",
    [
        pytest.param(signal.SIGKILL, id="killed"),
        pytest.param(signal.SIGSTOP, id="silent", marks=pytest.mark.slow),
    ],
)
def test_a_lost_process_is_an_error_in_time(signal_number: int, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    store = meeting_point(LOOPBACK, 2)
    processes = [
        context.Process(target=_one_of, args=(rank, store.port, 2, lose, (tmp_path, signal_number)))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    try:
        processes[0].join(timeout=60)
        assert processes[0].exitcode == 0
        seconds, _ = (tmp_path / "noticed").read_text().split()
        assert float(seconds) < PATIENCE.total_seconds() + 5
    finally:
        for process in processes:
            process.kill()
