"""Checks of tensors that users pass to a rectifier directly."""

from torch import Tensor


def check_shape(name: str, tensor: Tensor, setting: str, wanted: int) -> None:
    """Refuse maps with a wrong number of channels.

    Args:
        name (str): Name of the tensor in the message.
        tensor (Tensor): (N, C, H, W).
        setting (str): The rectifier's setting that defines C.
        wanted (int): Expected C.

    Raises:
        ValueError: If the tensor has another shape.
    """
    if tensor.dim() != 4 or tensor.shape[1] != wanted:
        raise ValueError(
            f'{name} must be (N, {wanted}, height, width) for rectifier.'
            f'{setting}={wanted}, got {tuple(tensor.shape)}'
        )


def check_probabilities(probs: Tensor) -> None:
    """Refuse logits that are passed as probabilities.

    Raises:
        ValueError: If a value lies outside of [0, 1].
    """
    low, high = probs.min().item(), probs.max().item()
    if low < 0 or high > 1.01:
        raise ValueError(
            'probs must be probabilities in [0, 1], such as logits.softmax(1)'
            f', got {low:.3g} to {high:.3g}'
        )
