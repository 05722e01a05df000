"""All tensors of a network."""

from functools import cached_property

import torch
from torch import Tensor, nn


class State(tuple[list[Tensor], list[Tensor]]):
    """Parameters and buffers of a network, each once.

    What is asked about a thousand tensors in every step of a training is
    found out once.

    Args:
        tensors (Iterable[list[Tensor]]): The parameters, and the buffers.
    """

    @cached_property
    def floating(self) -> list[Tensor]:
        """list[Tensor]: The buffers that are of floating point."""
        return [b for b in self[1] if b.is_floating_point()]

    @cached_property
    def whole(self) -> list[Tensor]:
        """list[Tensor]: The other buffers."""
        return [b for b in self[1] if not b.is_floating_point()]

    @cached_property
    def shapes(self) -> list[list[torch.Size]]:
        """list[list]: Of parameters, floating and other buffers."""
        kinds = self[0], self.floating, self.whole
        return [[tensor.shape for tensor in kind] for kind in kinds]


class StateReader:
    """Reads a network's tensors again and again, while its modules stay.

    The same as ``parameters()`` and ``buffers()``, level by level, in a
    fraction of the time: in every step of a training these walks would cost
    as much as moving the weights of a small network. Tensors may come, go
    and be replaced between two readings; modules, and the shapes and types
    of tensors that stay, may not.

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
        # Also those that are empty: some modules add buffers later.
        self._parameters = [m._parameters for m in found]
        self._buffers = [m._buffers for m in found]
        self._ids: list[list[int]] = []
        # It keeps its tensors, so that no other gets the id of one.
        self._state = State(([], []))

    def __call__(self) -> State:
        """Parameters and buffers, each once.

        Returns:
            State: In the same order for networks of the same structure; the
            one of the reading before, where no tensor has changed.
        """
        owners = self._parameters, self._buffers
        ids = [_ids(each) for each in owners]
        if ids != self._ids:
            self._ids = ids
            self._state = State(_each_once(each) for each in owners)
        return self._state


def _ids(owners: list[dict]) -> list[int]:
    """Of what some modules hold; the tensors themselves stay unread."""
    return [id(t) for owner in owners if owner for t in owner.values()]


def _each_once(owners: list[dict]) -> list[Tensor]:
    """The tensors that some modules hold."""
    found = {id(t): t for owner in owners for t in owner.values()}
    return [tensor for tensor in found.values() if tensor is not None]


def network_state(network: nn.Module) -> State:
    """Parameters and buffers of a network, each once.

    Args:
        network (nn.Module): Any network.

    Returns:
        State: As of :class:`StateReader`.
    """
    return StateReader(network)()
