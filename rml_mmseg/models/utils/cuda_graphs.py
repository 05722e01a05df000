"""Work on a GPU that is recorded once and then started as a whole."""

import gc
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Optional

import torch
from mmengine.utils import digit_version
from torch import Tensor, nn

from .network_state import StateReader

# Calls of one kind before it is recorded: what is loaded, chosen or checked
# once is so by then.
WARM_UP = 3
# Of kinds, as each keeps memory for all that it computes.
MAX_GRAPHS = 4
# What other threads do, such as pinning memory, breaks no recording.
MODE: dict[str, Any] = (
    dict(capture_error_mode='thread_local')
    if digit_version(torch.__version__) >= digit_version('2.1')
    else {}
)

Function = Callable[..., Any]


def autocast_of(device: str) -> tuple[bool, torch.dtype]:
    """Whether a kind of device computes in mixed precision now, and which."""
    if hasattr(torch, 'get_autocast_dtype'):
        enabled = torch.is_autocast_enabled(device)
        return enabled, torch.get_autocast_dtype(device)
    return torch.is_autocast_enabled(), torch.get_autocast_gpu_dtype()


def can_be_recorded(tensors: Sequence[Tensor]) -> bool:
    """Whether these lie on a GPU, which can record."""
    return all(tensor.is_cuda for tensor in tensors)


@contextmanager
def _without_garbage() -> Iterator[None]:
    """Collect garbage before and not within, which could free graphs there."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def capture(function: Function, tensors: Sequence[Tensor]) -> tuple[Any, Any]:
    """Record a function of tensors.

    Returns:
        tuple: What replays it, a function of nothing, and its outputs, which
        hold values once it was replayed.

    Raises:
        RuntimeError: If the function waits for the GPU.
        OutOfMemoryError: If there is no memory for what it computes.
    """
    graph = torch.cuda.CUDAGraph()
    try:
        with _without_garbage(), torch.cuda.graph(graph, **MODE):
            outputs = function(*tensors)
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise RuntimeError(
            'model.semi_train_cfg.cuda_graphs=True: what the teachers and '
            'rectifiers compute cannot be recorded, as a part of it waits '
            f'for the GPU; set it to False. {error}'
        ) from error
    return graph.replay, outputs


class _Recorded:
    """A function recorded with tensors of its own to read."""

    def __init__(self, function: Function, tensors: Sequence[Tensor]) -> None:
        self.inputs = [tensor.clone() for tensor in tensors]
        self.replay, self.outputs = capture(function, self.inputs)

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        """Outputs, which the next call overwrites."""
        for mine, given in zip(self.inputs, tensors):
            mine.copy_(given, non_blocking=True)
        self.replay()
        return self.outputs


class GraphedCalls:
    """Calls of a function of tensors, as CUDA graphs where there is a GPU.

    A network of hundreds of layers and few images is limited by the time the
    processor takes to start each computation; a recorded one is started as a
    whole. A function is recorded anew for tensors of other sizes, and where
    a parameter or buffer that it reads was replaced. The first calls of a
    kind, and those of more kinds than ``MAX_GRAPHS``, are not recorded.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Record all anew, as of modules that were replaced."""
        self._readers: Optional[list[StateReader]] = None
        self._addresses: list[int] = []
        self._seen: dict[Hashable, int] = {}
        self._recorded: dict[Hashable, _Recorded] = {}

    def __len__(self) -> int:
        """Number of kinds of calls that are recorded."""
        return len(self._recorded)

    def __reduce__(self) -> tuple:
        """A copy records for itself."""
        return GraphedCalls, ()

    def __call__(
        self,
        function: Function,
        modules: Sequence[nn.Module],
        tensors: Sequence[Tensor],
    ) -> Any:
        """Call a function, the same in every call.

        Args:
            function (Callable): Of the tensors; it may read and change
                parameters and buffers, and otherwise computes nothing but
                what it returns. It must not wait for the GPU.
            modules (list[nn.Module]): Whose parameters and buffers it reads;
                always the same, until :meth:`forget`.
            tensors (list[Tensor]): What it is called with.

        Returns:
            Any: What it returns. The tensors in it may be overwritten by
            the next call.

        Raises:
            RuntimeError: If it cannot be recorded.
        """
        if not can_be_recorded(tensors):
            return function(*tensors)
        self._look_at(modules)
        kind = (
            *autocast_of(tensors[0].device.type),
            *((t.shape, t.stride(), t.dtype, t.device) for t in tensors),
        )
        if kind in self._recorded:
            return self._recorded[kind](tensors)
        self._seen[kind] = self._seen.get(kind, 0) + 1
        if self._seen[kind] <= WARM_UP or len(self._recorded) == MAX_GRAPHS:
            return function(*tensors)
        self._recorded[kind] = _Recorded(function, tensors)
        return self._recorded[kind](tensors)

    def _look_at(self, modules: Sequence[nn.Module]) -> None:
        """Forget what was recorded with other tensors of the modules."""
        if self._readers is None:
            self._readers = [StateReader(module) for module in modules]
        found = [
            tensor.data_ptr()
            for reader in self._readers
            for part in reader()
            for tensor in part
        ]
        if found != self._addresses:
            self._addresses, self._seen, self._recorded = found, {}, {}
