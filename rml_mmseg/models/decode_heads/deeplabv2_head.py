"""Decode head of DeepLabV2."""

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import SELayer
from mmseg.registry import MODELS
from torch import Tensor, nn

from rml_mmseg.setting_checks import check_choice


class AtrousClassifiers(nn.Module):
    """Sum of parallel dilated 3x3 classifiers (DeepLabV2's ASPP).

    Args:
        in_channels (int): Channels of the input feature.
        out_channels (int): Number of classes.
        dilations (Sequence[int]): Dilation of each branch.
    """

    def __init__(
        self, in_channels: int, out_channels: int, dilations: Sequence[int]
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.branches = nn.ModuleList(
            nn.Conv2d(in_channels, out_channels, 3, padding=d, dilation=d)
            for d in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, h, w) to logits (N, K, h, w)."""
        output = self.branches[0](x)
        for branch in self.branches[1:]:
            output = output + branch(x)
        return output


@MODELS.register_module()
class DeepLabV2Head(BaseDecodeHead):
    """Atrous spatial pyramid of DeepLabV2 (Chen et al., 2017).

    ``form='sum'`` is the plain head: the sum of dilated 3x3 classifiers on
    the backbone's output, which is therefore the feature f of RML.
    ``form='bottleneck'`` is the head of ProDA-style work: dilated branches
    with group normalisation, squeeze-and-excitation, a 3x3 bottleneck,
    dropout and a 1x1 classifier, whose input is the feature. In both forms
    ``conv_seg`` is the classifier and its input the feature.

    Much public code returns from inside the loop over the branches and so
    sums rates 6 and 12 alone: set ``dilations=(6, 12)`` to match it.

    Args:
        dilations (Sequence[int]): Rates. Defaults to (6, 12, 18, 24).
        form (str): ``'sum'`` or ``'bottleneck'``. Defaults to ``'sum'``.
        dropout_ratio (float): Dropout before the classifier, a fraction in
            [0, 1]. Defaults to 0.5, section 5.2 of RML.
        num_groups (int): Groups of the group normalisation; must divide
            ``channels``. Defaults to 32.
        kwargs: Arguments of ``BaseDecodeHead``; ``channels`` is the width
            of the bottleneck form and unused by the plain one.

    Raises:
        ValueError: If ``form`` is unknown or ``dilations`` is empty.
    """

    def __init__(
        self,
        dilations: Sequence[int] = (6, 12, 18, 24),
        form: str = 'sum',
        dropout_ratio: float = 0.5,
        num_groups: int = 32,
        **kwargs: Any,
    ) -> None:
        check_choice('decode_head.form', form, ['sum', 'bottleneck'])
        if not dilations:
            raise ValueError('dilations must name at least one rate')
        super().__init__(dropout_ratio=dropout_ratio, **kwargs)
        self.dilations = tuple(dilations)
        self.form = form
        if form == 'sum':
            self.conv_seg: nn.Module = AtrousClassifiers(
                self.in_channels, self.out_channels, self.dilations
            )
        else:
            self._build_bottleneck(num_groups)

    def _build_bottleneck(self, num_groups: int) -> None:
        norm_cfg = dict(type='GN', num_groups=num_groups)
        self.branches = nn.ModuleList(
            ConvModule(
                self.in_channels,
                self.channels,
                kernel_size=3 if d else 1,
                padding=d,
                dilation=d or 1,
                bias=True,
                norm_cfg=norm_cfg,
            )
            for d in (0, *self.dilations)
        )
        width = self.channels * len(self.branches)
        self.excitation = SELayer(width, ratio=16)
        self.bottleneck = ConvModule(
            width,
            self.channels,
            3,
            padding=1,
            bias=True,
            norm_cfg=norm_cfg,
            act_cfg=None,
        )
        self.conv_seg = nn.Conv2d(
            self.channels, self.out_channels, 1, bias=False
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Map multi-level features to logits (N, K, h, w)."""
        x = self._transform_inputs(inputs)
        if self.form == 'bottleneck':
            x = torch.cat([branch(x) for branch in self.branches], dim=1)
            x = self.bottleneck(self.excitation(x))
        return self.cls_seg(x)
