"""All tensors of a network."""

from functools import cached_property

import torch
from torch import Tensor, nn


class State(tuple[list[Tensor], list[Tensor]]):
    """Parameters and buffers of a network, each once.

    Its properties, needed in every training step for a thousand tensors,
    are computed once.

    Args:
        tensors (Iterable[list[Tensor]]): The parameters, and the buffers.
    """

    @cached_property
    def floating(self) -> list[Tensor]:
        """list[Tensor]: The floating-point buffers."""
        return [b for b in self[1] if b.is_floating_point()]

    @cached_property
    def whole(self) -> list[Tensor]:
        """list[Tensor]: The other buffers."""
        return [b for b in self[1] if not b.is_floating_point()]

    @cached_property
    def shapes(self) -> list[list[torch.Size]]:
        """list[list]: Shapes of parameters, floating and other buffers."""
        kinds = self[0], self.floating, self.whole
        return [[tensor.shape for tensor in kind] for kind in kinds]


class StateReader:
    """Reads a network's tensors repeatedly, while its modules stay.

    Gives the same as ``parameters()`` and ``buffers()``, level by level, in
    a fraction of the time: in every training step, those would cost as much
    as updating the weights of a small network. Between two readings tensors
    may be added, removed or replaced; modules, and the shapes and dtypes of
    the remaining tensors, must not change.

    Args:
        network (nn.Module): Any network.
    """

    def __init__(self, network: nn.Module) -> None:
        modules: dict[int, nn.Module] = {}
        level = [network]
        while level:
            modules.update((id(m), m) for m in level)
            level = [
                child
                for module in level
                for child in module._modules.values()
                if child is not None and id(child) not in modules
            ]
        found = list(modules.values())
        # Empty ones too: some modules add buffers later.
        self._parameters = [m._parameters for m in found]
        self._buffers = [m._buffers for m in found]
        self._ids: list[list[int]] = []
        # Holding the tensors prevents their ids from being reused.
        self._state = State(([], []))

    def __call__(self) -> State:
        """Parameters and buffers, each once.

        Returns:
            State: In the same order for networks of the same structure; the
            previous one if no tensor was replaced.
        """
        owners = self._parameters, self._buffers
        ids = [_ids(each) for each in owners]
        if ids != self._ids:
            self._ids = ids
            self._state = State(_each_once(each) for each in owners)
        return self._state


def _ids(owners: list[dict]) -> list[int]:
    """Ids of the tensors in some modules, without reading the tensors."""
    return [id(t) for owner in owners if owner for t in owner.values()]


def _each_once(owners: list[dict]) -> list[Tensor]:
    """Tensors in some modules, each once."""
    found = {id(t): t for owner in owners for t in owner.values()}
    return [tensor for tensor in found.values() if tensor is not None]


def network_state(network: nn.Module) -> State:
    """Parameters and buffers of a network, each once.

    Args:
        network (nn.Module): Any network.

    Returns:
        State: As returned by :class:`StateReader`.
    """
    return StateReader(network)()
