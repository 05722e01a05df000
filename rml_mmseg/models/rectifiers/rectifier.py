"""What every rectifier is asked for."""

from abc import abstractmethod
from typing import Optional, Union

from torch import Tensor, nn


class Rectifier(nn.Module):
    """Corrects the soft labels of one learner's teacher; to inherit from.

    ``MutualSemiSegmentor`` has one for each learner, calls it on every batch
    of unlabelled images and saves its buffers with the model. A child needs
    :meth:`forward` alone; what else it does not define does nothing.

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
        # What checkpoints within an accumulated step keep; None for nothing.
        self.pending: Optional[Tensor] = None

    @abstractmethod
    def forward(
        self, probs: Tensor, features: Tensor, valid: Optional[Tensor] = None
    ) -> Union[Tensor, tuple[Tensor, Tensor]]:
        """Labels of the weak views, before they are mixed.

        Args:
            probs (Tensor): Soft pseudo labels p0 (N, K, H, W).
            features (Tensor): Input of the teacher's classifier for the
                same images, (N, C, h, w).
            valid (Tensor, optional): (N, H, W) bool, False on padding.
                Defaults to None: all.

        Returns:
            Tensor: Class ids (N, H, W), int64; nothing is learnt from 255.
            With a second one, (N, H, W), each pixel's loss has that weight,
            mixed as the labels are.
        """
        raise NotImplementedError

    def accumulate(self, features: Tensor, labels: Tensor) -> None:
        """Note a batch for the next ``update``, or for ``initialise``.

        Args:
            features (Tensor): (N, C, h, w).
            labels (Tensor): Most probable classes of the teacher today,
                (N, h, w), with 255 on padding.
        """

    def accumulate_labels(self, labels: Tensor) -> None:
        """Note the ground truth (N, H, W) of labelled images."""

    def update(self) -> None:
        """Use what was accumulated; all processes call it after a step."""

    def initialise(self) -> None:
        """Begin a stage by what was accumulated over all images."""

    def discard(self) -> None:
        """Forget what was accumulated since the last ``update``."""
        self.pending = None

    def forget(self) -> None:
        """Begin anew, as the networks did (``restart_students``)."""
        self.discard()
