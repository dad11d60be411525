"""One model trained by several processes: each takes its part of every mini-batch, and all of them make the same steps.

The result is that of one process up to rounding. The mini-batch keeps its size; every process draws the random numbers
of the whole mini-batch and takes those of its part; batch normalisation uses the statistics of the whole mini-batch;
gradients are the mean over its events (torch's ``DistributedDataParallel``). All processes hold the same weights, bit
for bit.
"""

# Axes: B events of a mini-batch, b those of this process, F features.
from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psutil
import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch does not say that it exports it
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

TIMEOUT = timedelta(minutes=10)  # after which a process that does not answer is an error
MeetingPoint = TCPStore
LOOPBACK = "127.0.0.1"
INTERFACE_VARIABLES = frozenset({"GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"})
CHOSEN_BY_USER = frozenset(name for name in INTERFACE_VARIABLES if name in os.environ)


class Processes:
    """The processes that train a model together, as one of them sees them; by default it is alone.

    Attributes:
        rank: Number of this process; the first one, 0, evaluates and writes checkpoints.
        size: How many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size
        self._rows = 0  # of the whole mini-batch

    @property
    def alone(self) -> bool:
        return self.size == 1

    def part(self, rows: Tensor) -> Tensor:
        """This process's part, (b, …), of the next mini-batch (B, …); parts differ by one row at most.

        Raises: ValueError if there are more processes than rows.
        """
        if self.alone:
            return rows
        if len(rows) < self.size:
            raise ValueError(
                f"{len(rows)} events cannot be shared among {self.size} processes: give larger mini-batches, more "
                "training events, or fewer processes"
            )
        self._rows = len(rows)
        return rows[self._slice]

    def draw(self, rows: int, draw: Callable[[int], Tensor]) -> Tensor:
        """Random numbers of this process's part of the mini-batch.

        Args:
            rows: b.
            draw: Draws the numbers (B, …) of so many rows; all processes draw those of the whole mini-batch.
        """
        if self.alone:
            return draw(rows)
        assert rows == self._own_rows, "random numbers are drawn for the rows of the mini-batch"
        return draw(self._rows)[self._slice]

    def weighted(self, loss: Tensor) -> Tensor:
        """A mean over this part, weighted so that the mean over the processes is the one over all events."""
        if self.alone:
            return loss
        return loss * (self.size * self._own_rows / self._rows)

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes, the same in all of them."""
        if self.alone:
            return values
        total = values.clone()
        distributed.all_reduce(total)
        return total / self.size

    def averaging(self, network: nn.Module) -> nn.Module:
        """The network, with gradients that are means over the processes where it is called through this."""
        return network if self.alone else DistributedDataParallel(network, forward_sync_buffers=False)

    @property
    def _slice(self) -> slice:
        return slice(self._first_row(self.rank), self._first_row(self.rank + 1))

    @property
    def _own_rows(self) -> int:
        return self._first_row(self.rank + 1) - self._first_row(self.rank)

    def _first_row(self, rank: int) -> int:
        return rank * self._rows // self.size


ALONE = Processes()


def meeting_point(address: str, size: int, timeout: timedelta = TIMEOUT) -> MeetingPoint:
    """Where processes find each other, kept by the first one on a free port (``port``) of an address of its machine."""
    listening = socket.create_server((address, 0))
    port = listening.getsockname()[1]
    return MeetingPoint(address, port, size, True, timeout, wait_for_workers=False, master_listen_fd=listening.detach())


def met_at(address: str, port: int, size: int, timeout: timedelta = TIMEOUT) -> MeetingPoint:
    """The meeting point of another process."""
    return MeetingPoint(address, port, size, False, timeout, wait_for_workers=False)


def join(
    store: MeetingPoint,
    rank: int,
    size: int,
    *,
    device: str = "cpu",
    address: str = LOOPBACK,
    timeout: timedelta = TIMEOUT,
) -> Processes:
    """Become one of the processes, when all have come: gloo on CPUs, nccl on GPUs. ``leave`` ends it.

    Args:
        address: Of this machine, where the others reach this process.
        timeout: After which another process that does not answer is an error.
    Raises: RuntimeError if one of them does not come in time.
    """
    leave()  # what a training that failed may have left
    _listen_at(address)
    distributed.init_process_group(
        "nccl" if device == "cuda" else "gloo", store=store, rank=rank, world_size=size, timeout=timeout
    )
    return Processes(rank, size)


def leave() -> None:
    """Be one of several processes no more."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _listen_at(address: str) -> None:
    """Use the network interface that has an address, unless the user has chosen one."""
    having = [name for name, all_ in psutil.net_if_addrs().items() if address in {own.address for own in all_}]
    for variable in INTERFACE_VARIABLES - CHOSEN_BY_USER:
        os.environ.pop(variable, None)
        if having:
            os.environ[variable] = having[0]


class BatchNorm3d(nn.BatchNorm3d):
    """Batch normalisation with the statistics of the whole mini-batch, whichever process its events are in.

    ``nn.SyncBatchNorm`` does the same on GPUs alone.
    """

    processes: Processes = ALONE

    def forward(self, x: Tensor) -> Tensor:
        if self.processes.alone or not self.training:
            return super().forward(x)
        normalised: Tensor = self._of_all(x)
        return normalised

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # it cannot trace what processes tell each other
    def _of_all(self, x: Tensor) -> Tensor:
        normalised: Tensor
        normalised, mean, variance, count = _SharedNormalisation.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.eps
        )
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1)), share)
        return normalised


class _SharedNormalisation(torch.autograd.Function):
    """Normalised input, and mean and variance of each feature over all processes, (F,), with the number of values."""

    @staticmethod
    def forward(
        context: Any, x: Tensor, weight: Tensor, bias: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, variance, count = _moments(x)
        context.save_for_backward(x, weight, mean, (variance + epsilon).rsqrt(), count)
        context.mark_non_differentiable(mean, variance, count)
        return functional.batch_norm(x, mean, variance, weight, bias, eps=epsilon), mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, scale, count = context.saved_tensors
        # As if the mean gradients of this process, which normalisation takes away, were those of all; then corrected.
        inner, stretch, shift = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, None, None, mean, scale, True, 0.0, [True, True, True]
        )
        total = torch.stack((stretch, shift))
        distributed.all_reduce(total)
        too_much = torch.stack((stretch, shift)) / (x.numel() // x.shape[1]) - total / count
        slope, offset = weight * scale**2 * too_much[0], weight * scale * too_much[1]
        inner = inner + _by_feature(offset, x) + _by_feature(slope, x) * (x - _by_feature(mean, x))
        return inner.to(x.dtype), stretch, shift, None


def _moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance of each feature over all processes, (F,), and the number of values, of (b, F, …)."""
    none = torch.zeros(x.shape[1], device=x.device)  # running ones, which are not wanted
    mean, variance = torch.batch_norm_update_stats(x.float(), none, none.clone(), 0.0)
    own: Tensor = torch.cat((mean, variance, mean.new_tensor([x.numel() // x.shape[1]])))
    everyone = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(everyone, own)
    parts = torch.stack(everyone)
    means, variances, counts = parts[:, : len(mean)], parts[:, len(mean) : -1], parts[:, -1:]
    count = counts.sum()
    mean = (counts * means).sum(0) / count
    return mean, (counts * (variances + (means - mean) ** 2)).sum(0) / count, count


def _by_feature(values: Tensor, x: Tensor) -> Tensor:
    """Values (F,) in the shape in which they meet (b, F, …)."""
    return values.view(1, -1, *[1] * (x.dim() - 2))
