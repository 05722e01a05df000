"""Readout tokens for the head of DPT."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class ReadoutNeck(BaseModule):
    """Puts a readout token beside each feature map, as ``DPTHead`` takes.

    mmseg's head of DPT (Ranftl et al., 2021) takes a map and the class token
    of each level, and mmpretrain's vision transformers, such as DINOv2, give
    maps alone. The mean over a map stands for the token, which
    ``readout_type='ignore'`` leaves out.
    """

    def forward(
        self, inputs: Sequence[Tensor]
    ) -> tuple[tuple[Tensor, Tensor], ...]:
        """Pair maps with tokens.

        Args:
            inputs (Sequence[Tensor]): (N, C, h, w) of each level.

        Returns:
            tuple: Of each level the map, and its mean (N, C).
        """
        return tuple((level, level.mean((2, 3))) for level in inputs)
