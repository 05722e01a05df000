"""Size and role of each network of a model."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .utils.heads import final_head


@dataclass(frozen=True)
class NetworkSummary:
    """One network of a model.

    Attributes:
        name: For example ``'students.0'``.
        kind: Backbone and decode head.
        parameters: Number of parameters.
        trained: Number of parameters that require gradients.
        flops: Floating point operations of a forward pass; a multiply-add
            counts as two.
        role: What the network is for.
    """

    name: str
    kind: str
    parameters: int
    trained: int
    flops: int
    role: str


def count_flops(network: Any, size: tuple[int, int]) -> int:
    """Count the operations of one image through backbone, neck and head.

    torch's ``FlopCounterMode`` counts matrix products, convolutions and
    attention. A multiply-add counts as two, so the figures are twice those
    of tools that count multiply-adds.

    Args:
        network (EncoderDecoder): A stock segmentor.
        size (tuple[int, int]): Height and width of the image, pixels.

    Raises:
        RuntimeError: Before PyTorch 2.3.
    """
    try:
        from torch.nn.attention import SDPBackend, sdpa_kernel
        from torch.utils.flop_counter import FlopCounterMode
    except ModuleNotFoundError as error:
        raise RuntimeError(
            'counting operations needs PyTorch 2.3 or later, found '
            f'{torch.__version__}'
        ) from error
    device = next(network.parameters()).device
    layers = (m for m in network.modules() if isinstance(m, nn.Conv2d))
    channels = next(layers).in_channels
    was_training = network.training
    network.eval()
    counter = FlopCounterMode(display=False)
    try:
        # Fused attention on a CPU is not counted; its parts are.
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            network._forward(torch.zeros(1, channels, *size, device=device))
    finally:
        network.train(was_training)
    return counter.get_total_flops()


def summarise_networks(
    model: Any, size: tuple[int, int]
) -> list[NetworkSummary]:
    """Summarise every network of a model; a plain segmentor is one.

    Args:
        model (MutualSemiSegmentor | EncoderDecoder): The model.
        size (tuple[int, int]): Height and width of an image, pixels.
    """
    if not hasattr(model, 'students'):
        return [_summarise(model, 'model', size, 'trained and deployed')]
    deployed = model.predict_on
    found = []
    for group in ('students', 'teachers'):
        for i, network in enumerate(getattr(model, group)):
            name = f'{group}.{i}'
            role = (
                'trained by gradients'
                if group == 'students'
                else f'moving average of students.{i}'
            )
            if deployed == name:
                role += ', deployed'
            elif deployed == 'ensemble' and group == 'teachers':
                role += ', deployed in the ensemble'
            found.append(_summarise(network, name, size, role))
    return found


def _summarise(
    network: Any, name: str, size: tuple[int, int], role: str
) -> NetworkSummary:
    parameters: list[nn.Parameter] = list(network.parameters())
    head = final_head(network)
    return NetworkSummary(
        name=name,
        kind=f'{type(network.backbone).__name__}, {type(head).__name__}',
        parameters=sum(p.numel() for p in parameters),
        trained=sum(p.numel() for p in parameters if p.requires_grad),
        flops=count_flops(network, size),
        role=role,
    )
