"""Readout tokens for the head of DPT."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class ReadoutNeck(BaseModule):
    """Adds a readout token to each feature map, as ``DPTHead`` expects.

    mmseg's head of DPT (Ranftl et al., 2021) takes a map and the class token
    of each level, but mmpretrain's vision transformers, such as DINOv2,
    return only maps. The mean over a map replaces the token, which
    ``readout_type='ignore'`` leaves unused.
    """

    def forward(
        self, inputs: Sequence[Tensor]
    ) -> tuple[tuple[Tensor, Tensor], ...]:
        """Pair maps with tokens.

        Args:
            inputs (Sequence[Tensor]): For each level, a map (N, C, h, w).

        Returns:
            tuple: For each level, the map and its mean (N, C).
        """
        return tuple((level, level.mean((2, 3))) for level in inputs)
