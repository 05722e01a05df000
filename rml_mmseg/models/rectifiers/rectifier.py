"""Base class of rectifiers."""

from abc import abstractmethod
from typing import Optional, Union

from torch import Tensor, nn


class Rectifier(nn.Module):
    """Base class of rectifiers, which correct one teacher's soft labels.

    ``MutualSemiSegmentor`` has one for each learner, calls it on every batch
    of unlabelled images and saves its buffers with the model. A subclass
    must define only :meth:`forward`; the other hooks do nothing by default.

    Args:
        num_classes (int): Number of classes K, filled in by the segmentor.
        channels (int): Channels C of the features, likewise.
    """

    takes_labels = False
    """bool: Whether ``accumulate_labels`` is called with ground truth."""

    def __init__(self, num_classes: int, channels: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.channels = channels
        # Saved in checkpoints during gradient accumulation; None if empty.
        self.pending: Optional[Tensor] = None

    @abstractmethod
    def forward(
        self, probs: Tensor, features: Tensor, valid: Optional[Tensor] = None
    ) -> Union[Tensor, tuple[Tensor, Tensor]]:
        """Label the weak views, before they are mixed.

        Args:
            probs (Tensor): Soft pseudo labels p0 (N, K, H, W).
            features (Tensor): Input of the teacher's classifier for the
                same images, (N, C, h, w).
            valid (Tensor, optional): (N, H, W) bool, False on padding.
                Defaults to None: all.

        Returns:
            Tensor or tuple: Class ids (N, H, W), int64, where 255 is
            ignored; in a tuple also weights (N, H, W) of each pixel's loss,
            which are mixed as the labels are.
        """
        raise NotImplementedError

    def accumulate(self, features: Tensor, labels: Tensor) -> None:
        """Accumulate a batch for the next ``update`` or ``initialise``.

        Args:
            features (Tensor): (N, C, h, w).
            labels (Tensor): Current class predictions of the teacher,
                (N, h, w), 255 on padding.
        """

    def accumulate_labels(self, labels: Tensor) -> None:
        """Accumulate the ground truth (N, H, W) of labelled images."""

    def update(self) -> None:
        """Use what was accumulated; all ranks call it after each step."""

    def initialise(self) -> None:
        """Start a stage from what was accumulated over all images."""

    def discard(self) -> None:
        """Drop what was accumulated since the last ``update``."""
        self.pending = None

    def forget(self) -> None:
        """Start over, as the networks did (``restart_students``)."""
        self.discard()
