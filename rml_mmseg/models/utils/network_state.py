"""All tensors of a network."""

from torch import Tensor, nn

State = tuple[list[Tensor], list[Tensor]]


class StateReader:
    """Reads a network's tensors again and again, while its modules stay.

    The same as ``parameters()`` and ``buffers()``, level by level, in a
    fraction of the time: in every step of a training these walks would cost
    as much as moving the weights of a small network. Tensors may come, go
    and be replaced between two readings, modules may not.

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

    def __call__(self) -> State:
        """Parameters and buffers, each once.

        Returns:
            tuple[list[Tensor], list[Tensor]]: In the same order for networks
            of the same structure.
        """
        return _each_once(self._parameters), _each_once(self._buffers)


def _each_once(owners: list[dict]) -> list[Tensor]:
    """The tensors that some modules hold."""
    found = {id(t): t for owner in owners for t in owner.values()}
    return [tensor for tensor in found.values() if tensor is not None]


def network_state(network: nn.Module) -> State:
    """Parameters and buffers of a network, each once.

    Args:
        network (nn.Module): Any network.

    Returns:
        tuple[list[Tensor], list[Tensor]]: As of :class:`StateReader`.
    """
    return StateReader(network)()
