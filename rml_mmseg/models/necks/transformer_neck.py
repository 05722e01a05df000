"""A transformer encoder over a convolutional stem."""

from collections.abc import Sequence
from typing import Optional

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule, ModuleList
from mmengine.model.weight_init import PretrainedInit, trunc_normal_
from mmseg.models.backbones.vit import TransformerEncoderLayer
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class TransformerNeck(BaseModule):
    """Turns a CNN backbone into a hybrid vision transformer.

    The hybrid architecture of ViT (Dosovitskiy et al., 2021, section 3.1):
    tokens are the positions of a CNN's feature map instead of patches of
    the image. A transformer without pretrained weights can thus start from
    a pretrained stem. The layers are mmseg's.

    Args:
        in_channels (int): Channels of the last backbone level.
        embed_dims (int): Width of the tokens.
        num_layers (int): Encoder layers.
        num_heads (int): Attention heads; must divide ``embed_dims``.
        grid_size (tuple[int, int]): Rows and columns of the position
            embedding; resized bicubically to the feature map.
        mlp_ratio (int): Width of the feed-forward part, in ``embed_dims``.
            Defaults to 4.
        drop_path_rate (float): Stochastic depth rate of the last layer,
            rising linearly from 0 in the first. Defaults to 0.0.
        init_cfg (dict, optional): Initialisation; ``Pretrained`` replaces
            that of ViT.
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        num_layers: int,
        num_heads: int,
        grid_size: tuple[int, int],
        mlp_ratio: int = 4,
        drop_path_rate: float = 0.0,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.projection = nn.Conv2d(in_channels, embed_dims, 1)
        self.position = nn.Parameter(torch.zeros(1, embed_dims, *grid_size))
        rates = torch.linspace(0, drop_path_rate, num_layers).tolist()
        self.layers = ModuleList(
            TransformerEncoderLayer(
                embed_dims=embed_dims,
                num_heads=num_heads,
                feedforward_channels=mlp_ratio * embed_dims,
                drop_path_rate=rate,
            )
            for rate in rates
        )
        self.norm = nn.LayerNorm(embed_dims)

    def init_weights(self) -> None:
        """Initialise as ViT: truncated normal, standard deviation 0.02."""
        super().init_weights()
        if self._is_pretrained():
            return
        trunc_normal_(self.position, std=0.02)
        for module in self.layers.modules():
            if isinstance(module, nn.Linear):
                trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def _is_pretrained(self) -> bool:
        cfgs = self.init_cfg or []
        cfgs = [cfgs] if isinstance(cfgs, dict) else cfgs
        return any(
            cfg['type'] in ('Pretrained', PretrainedInit) for cfg in cfgs
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Encode the last level.

        Args:
            inputs (Sequence[Tensor]): Levels of the backbone.

        Returns:
            tuple[Tensor]: The levels before the last, unchanged, and the
            encoded last one (N, embed_dims, h, w).
        """
        x = self.projection(inputs[-1])
        n, c, h, w = x.shape
        position: Tensor = self.position
        if position.shape[-2:] != (h, w):
            position = F.interpolate(
                position, size=(h, w), mode='bicubic', align_corners=False
            )
        tokens = (x + position).flatten(2).transpose(1, 2)
        for layer in self.layers:
            tokens = layer(tokens)
        tokens = self.norm(tokens).transpose(1, 2).reshape(n, c, h, w)
        return (*inputs[:-1], tokens)
