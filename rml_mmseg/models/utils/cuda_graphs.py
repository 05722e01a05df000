"""CUDA graphs: work recorded once and then launched as a whole."""

import gc
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Optional

import torch
from mmengine.utils import digit_version
from torch import Tensor, nn

from .network_state import StateReader

# Calls of one kind before it is recorded: by then, one-time loading,
# algorithm choices and checks are done.
WARM_UP = 3
# Limited, as each graph keeps memory for all that it computes.
MAX_GRAPHS = 4
# Other threads, such as one that pins memory, must not break a recording.
MODE: dict[str, Any] = (
    dict(capture_error_mode='thread_local')
    if digit_version(torch.__version__) >= digit_version('2.1')
    else {}
)

Function = Callable[..., Any]


def autocast_of(device: str) -> tuple[bool, torch.dtype]:
    """Whether autocast is on for a device type, and its dtype."""
    if hasattr(torch, 'get_autocast_dtype'):
        enabled = torch.is_autocast_enabled(device)
        return enabled, torch.get_autocast_dtype(device)
    return torch.is_autocast_enabled(), torch.get_autocast_gpu_dtype()


def can_be_recorded(tensors: Sequence[Tensor]) -> bool:
    """Whether all tensors are on a GPU."""
    return all(tensor.is_cuda for tensor in tensors)


@contextmanager
def _without_garbage() -> Iterator[None]:
    """Collect garbage before but not inside, where it could free graphs."""
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
        tuple: A function without arguments that replays it, and its outputs,
        which hold values only after a replay.

    Raises:
        RuntimeError: If the function waits for the GPU.
        OutOfMemoryError: If the GPU has too little memory.
    """
    graph = torch.cuda.CUDAGraph()
    try:
        with _without_garbage(), torch.cuda.graph(graph, **MODE):
            outputs = function(*tensors)
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise RuntimeError(
            'model.semi_train_cfg.cuda_graphs=True: teachers and rectifiers '
            'cannot be recorded, because a part of their computation waits '
            f'for the GPU. Set it to False. {error}'
        ) from error
    return graph.replay, outputs


class _Recorded:
    """A function recorded with input tensors of its own."""

    def __init__(self, function: Function, tensors: Sequence[Tensor]) -> None:
        self.inputs = [tensor.clone() for tensor in tensors]
        self.replay, self.outputs = capture(function, self.inputs)

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        """Replay it; the next call overwrites the outputs."""
        for mine, given in zip(self.inputs, tensors):
            mine.copy_(given, non_blocking=True)
        self.replay()
        return self.outputs


class GraphedCalls:
    """Calls a function of tensors, as a CUDA graph on a GPU.

    A network of hundreds of layers on few images is limited by the time the
    CPU takes to launch each kernel; a graph is launched as a whole. A
    function is recorded anew for tensors of other sizes, and after a
    parameter or buffer that it reads was replaced. The first calls of a
    kind, and kinds beyond ``MAX_GRAPHS``, are not recorded.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop all recordings, as for modules that were replaced."""
        self._readers: Optional[list[StateReader]] = None
        self._addresses: list[int] = []
        self._seen: dict[Hashable, int] = {}
        self._recorded: dict[Hashable, _Recorded] = {}

    def __len__(self) -> int:
        """Number of recorded kinds of calls."""
        return len(self._recorded)

    def __reduce__(self) -> tuple:
        """Copy without the recordings."""
        return GraphedCalls, ()

    def __call__(
        self,
        function: Function,
        modules: Sequence[nn.Module],
        tensors: Sequence[Tensor],
    ) -> Any:
        """Call a function, which must be the same in every call.

        Args:
            function (Callable): Function of the tensors. It may read and
                change parameters and buffers, but have no other side
                effects, and must not wait for the GPU.
            modules (list[nn.Module]): Modules whose parameters and buffers
                it reads; the same in every call until :meth:`forget`.
            tensors (list[Tensor]): Its arguments.

        Returns:
            Any: Its result. The next call may overwrite the tensors in it.

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
        """Drop all recordings if a tensor of the modules was replaced."""
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
