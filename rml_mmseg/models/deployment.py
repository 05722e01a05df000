"""A segmentor and its preprocessing in one module."""

from typing import Any

import torch
from mmseg.models.utils import resize
from torch import Tensor, nn

from .utils.heads import final_head, forward_logits
from .utils.preprocessing import swaps_channels


class DeployedSegmentor(nn.Module):
    """Maps images as loaded to logits of the same size.

    The other steps of an mmseg test stay outside: resizing and padding of
    images, sliding windows and resizing back to the original size.

    Args:
        segmentor (EncoderDecoder): A stock segmentor with a
            ``SegDataPreProcessor``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, segmentor: Any) -> None:
        super().__init__()
        base = segmentor.data_preprocessor
        self.segmentor = segmentor
        self.swaps_channels = swaps_channels(base)
        shape = (1, -1, 1, 1)
        mean, std = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
        if base._enable_normalize:
            mean, std = (
                part.detach().clone().view(shape).float()
                for part in (base.mean, base.std)
            )
        self.register_buffer('mean', mean, persistent=False)
        self.register_buffer('std', std, persistent=False)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits of images.

        Args:
            images (Tensor): (N, C, H, W), float32 as loaded: in [0, 255]
                for 8-bit files, channels in the order of the image reader,
                which is BGR for OpenCV.

        Returns:
            Tensor: (N, K, H, W).
        """
        if self.swaps_channels:
            images = images.flip(1)
        images = (images - self.mean) / self.std
        logits = forward_logits(self.segmentor, images)
        return resize(
            logits,
            size=images.shape[-2:],
            mode='bilinear',
            align_corners=final_head(self.segmentor).align_corners,
            warning=False,
        )
