"""Rectification of pseudo labels by class prototypes."""

from typing import Optional

import torch
from mmengine.dist import all_reduce, get_world_size
from mmseg.registry import MODELS
from torch import Tensor

from rml_mmseg.setting_checks import check_choice, check_count, check_number

from ..utils.alignment import alignment_bias, class_shares, label_shares
from ..utils.prototypes import (
    class_sums,
    prototype_weights,
    update_prototypes,
)
from ..utils.rectified_labels import rectify
from ..utils.tensor_check import check_probabilities, check_shape
from .rectifier import Rectifier


@MODELS.register_module()
class PrototypeRectifier(Rectifier):
    """Rectifies soft pseudo labels by the class prototypes of a teacher.

    Holds one prototype per class, weights soft pseudo labels by the distance
    of each pixel's feature to them (Eq. 6 and 9 of RML) and updates them by
    a moving average (Eq. 11). It works without the rest of this package:
    ``rectifier(probs, features)`` returns labels, and
    ``rectifier.update(features, classes)`` moves the prototypes, where
    ``classes`` are the network's own prediction for each feature (Eq. 10),
    such as ``logits.argmax(1)``, at the features' size.

    A class has no prototype and a neutral weight until it is first seen; its
    first mean becomes its prototype. The default momentum is so large that
    this first value matters: see ``StagedTrainLoop``, which computes it over
    the whole data (Eq. 10).

    Args:
        num_classes (int): Number of classes K.
        channels (int): Channels C of the features.
        momentum (float): Share of a prototype kept at an update, in
            [0, 1]. Defaults to 0.9999, section 4.2 of RML.
        temperature (float): Factor of the distances before the softmax.
            Defaults to 1.0, the paper's.
        min_pixels (int): Least number of feature pixels of a class, in a
            batch to move its prototype, or in all images to set it at the
            start of a stage. Defaults to 1.
        alignment (float): Strength of distribution alignment, 0 for none:
            a factor (wanted / found) ** alignment on the weights of a class
            brings its share among rectified labels towards that of
            ``alignment_target``. Shares are moving averages with
            ``momentum``, collected in training mode. Not in the paper.
            Defaults to 0.
        alignment_target (str): Source of the wanted shares: ``'teacher'``,
            the soft labels, because weighting by distance favours classes
            whose prototypes lie near the centre; or ``'labels'``, the
            ground truth given to ``accumulate_labels``, for labelled images
            that resemble the unlabelled ones and pseudo labels that lose
            rare classes. Defaults to ``'teacher'``.
        ignore_index (int): Label of pixels without a class. Defaults to
            255.

    Raises:
        ValueError: If a setting is out of range.
    """

    prototypes: Tensor
    counts: Tensor
    shares: Tensor

    def __init__(
        self,
        num_classes: int,
        channels: int,
        momentum: float = 0.9999,
        temperature: float = 1.0,
        min_pixels: int = 1,
        alignment: float = 0.0,
        alignment_target: str = 'teacher',
        ignore_index: int = 255,
    ) -> None:
        super().__init__(num_classes, channels)
        check_number('rectifier.momentum', momentum, '[0, 1]')
        check_number('rectifier.temperature', temperature, '(0, inf)')
        check_count('rectifier.min_pixels', min_pixels, 1)
        check_number('rectifier.alignment', alignment, '[0, inf)')
        check_choice(
            'rectifier.alignment_target',
            alignment_target,
            ['teacher', 'labels'],
        )
        self.momentum = momentum
        self.temperature = temperature
        self.min_pixels = min_pixels
        self.alignment = alignment
        self.alignment_target = alignment_target
        self.ignore_index = ignore_index
        self.takes_labels = alignment > 0 and alignment_target == 'labels'
        self.register_buffer('prototypes', torch.zeros(num_classes, channels))
        self.register_buffer(
            'counts', torch.zeros(num_classes, dtype=torch.int64)
        )
        self.register_buffer(
            'shares', torch.zeros(num_classes, 2), persistent=alignment > 0
        )
        self._seen_probs = False

    @property
    def initialised(self) -> Tensor:
        """Tensor: (K,) bool, the classes that have a prototype."""
        return self.counts > 0

    def weights(self, features: Tensor) -> Tensor:
        """Class-wise confidence (N, K, h, w) of features (N, C, h, w)."""
        return self._weights(features, self._bias())

    def _bias(self) -> Optional[Tensor]:
        """Alignment bias (K,) added before the softmax, if any."""
        if not self.alignment:
            return None
        return alignment_bias(self.shares, self.alignment)

    def _weights(self, features: Tensor, bias: Optional[Tensor]) -> Tensor:
        return prototype_weights(
            features, self.prototypes, self.temperature, self.initialised, bias
        )

    @torch.no_grad()
    def forward(
        self, probs: Tensor, features: Tensor, valid: Optional[Tensor] = None
    ) -> Tensor:
        """Rectify soft pseudo labels (Eq. 6), without gradients.

        In training mode with an ``alignment``, the class shares are
        accumulated for the next ``update``.

        Args:
            probs (Tensor): Soft pseudo labels (N, K, H, W).
            features (Tensor): Features of the same images (N, C, h, w).
            valid (Tensor, optional): (N, H, W) bool, False on padding,
                which is labelled but not counted in the shares. Defaults
                to None: all.

        Returns:
            Tensor: Class ids (N, H, W).

        Raises:
            ValueError: If the number of classes or channels is wrong, or
                ``probs`` of the first call are not probabilities.
        """
        check_shape('probs', probs, 'num_classes', self.num_classes)
        check_shape('features', features, 'channels', self.channels)
        # Checked once, as it waits for the GPU and a mistake recurs each time.
        if not self._seen_probs:
            check_probabilities(probs)
            self._seen_probs = True
        bias = self._bias()
        weights = self._weights(features, bias)
        if bias is not None and self.training:
            plain = weights / bias.exp().view(-1, 1, 1)
            shares = class_shares(probs, plain, valid)
            if self.takes_labels:
                shares[:, 0] = 0
            self._pend(slice(-2, None), shares)
        return rectify(probs, weights)

    @torch.no_grad()
    def accumulate(self, features: Tensor, labels: Tensor) -> None:
        """Accumulate a batch for the next ``update``.

        Args:
            features (Tensor): (N, C, h, w).
            labels (Tensor): Class ids (N, h, w); ``ignore_index`` and ids
                outside of [0, K) are left out, and so are features that are
                not finite.
        """
        sums, counts = class_sums(
            features, labels, self.num_classes, self.ignore_index
        )
        packed = torch.cat([sums, counts.unsqueeze(1)], dim=1)
        self._pend(slice(None, -2), packed)

    @torch.no_grad()
    def accumulate_labels(self, labels: Tensor) -> None:
        """Accumulate the class shares of ground truth for ``update``.

        Args:
            labels (Tensor): Class ids of labelled images, (N, H, W); ids
                outside of [0, K) are left out.
        """
        shares = label_shares(labels, self.num_classes)
        self._pend(slice(-2, -1), shares.unsqueeze(1))

    def _pend(self, columns: slice, values: Tensor) -> None:
        """Add values to columns of ``pending``, which ``update`` uses.

        The columns are sums (C), counts (1) and shares (2).
        """
        if self.pending is None:
            self.pending = values.new_zeros(
                self.num_classes, self.channels + 3
            )
        self.pending[:, columns] += values

    def forget(self) -> None:
        """Drop the prototypes and shares, as the network has changed."""
        super().forget()
        self.counts.zero_()
        self.shares.zero_()

    def _reduced(self) -> Optional[tuple[Tensor, Tensor, Tensor]]:
        """Sums (K, C), counts (K,) and shares (K, 2) over all ranks."""
        packed, self.pending = self.pending, None
        if packed is None:
            if get_world_size() == 1:
                return None
            # The other ranks wait for this one in the all-reduce.
            packed = self.prototypes.new_zeros(
                self.num_classes, self.channels + 3
            )
        all_reduce(packed)
        sums, counts, shares = packed.split([self.channels, 1, 2], dim=1)
        counts = counts.squeeze(1)
        # A class whose sum overflows counts as absent.
        present = sums.isfinite().all(1) & (counts >= self.min_pixels)
        counts = torch.where(present, counts, 0.0)
        return sums, counts, torch.where(shares.isfinite().all(), shares, 0.0)

    @torch.no_grad()
    def update(
        self,
        features: Optional[Tensor] = None,
        labels: Optional[Tensor] = None,
    ) -> None:
        """Move the prototypes by what was accumulated (Eq. 11).

        All ranks must call it together: one all-reduce adds up their sums.

        Args:
            features (Tensor, optional): Batch to accumulate first.
            labels (Tensor, optional): Its class ids.

        Raises:
            ValueError: If only one of the two is given.
        """
        if (features is None) != (labels is None):
            raise ValueError(
                'update needs both features and labels (the class id of each '
                'feature), or neither'
            )
        if features is not None and labels is not None:
            self.accumulate(features, labels)
        reduced = self._reduced()
        if reduced is None:
            return
        sums, counts, shares = reduced
        # Each column is normalised where it is used.
        self.shares.mul_(self.momentum).add_(shares)
        new = update_prototypes(self.prototypes, sums, counts, self.momentum)
        first = (counts > 0) & ~self.initialised
        means = sums / counts.clamp(min=1).unsqueeze(1)
        self.prototypes.copy_(torch.where(first.unsqueeze(1), means, new))
        self.counts += counts.long()

    @torch.no_grad()
    def initialise(self) -> None:
        """Set the prototypes to the means of what was accumulated (Eq. 10).

        A class with fewer pixels than ``min_pixels`` keeps its prototype.
        The shares are reset, as they belong to the previous prototypes.
        """
        reduced = self._reduced()
        if reduced is None:
            return
        sums, counts, _ = reduced
        self.shares.zero_()
        means = sums / counts.clamp(min=1).unsqueeze(1)
        seen = counts > 0
        self.prototypes.copy_(
            torch.where(seen.unsqueeze(1), means, self.prototypes)
        )
        self.counts.copy_(torch.where(seen, counts.long(), self.counts))

    def extra_repr(self) -> str:
        """Settings to print."""
        return (
            f'num_classes={self.num_classes}, channels={self.channels}, '
            f'momentum={self.momentum}, temperature={self.temperature}, '
            f'min_pixels={self.min_pixels}, '
            f'alignment={self.alignment}, '
            f'alignment_target={self.alignment_target!r}'
        )
