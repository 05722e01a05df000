"""Hooks that look at what a model computes in an iteration."""

from abc import abstractmethod
from typing import Any, Optional

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from rml_mmseg.setting_checks import check_count

from ..unwrap import unwrap

READERS = 'readers'


class RecordingHook(Hook):
    """Has a model record every ``interval``-th iteration, and looks at it.

    A custom monitor is a subclass that implements :meth:`look`. Several hooks
    may ask for the same iteration; the last of them releases the record.

    Args:
        interval (int): Iterations from one look to the next.

    Raises:
        ValueError: If the interval is below 1.
    """

    # After MutualEMAHook (50), which may stop the run, and before LoggerHook
    # (60): at 60 scalars would be logged one look too late.
    priority = 55

    def __init__(self, interval: int) -> None:
        check_count(f'{type(self).__name__}.interval', interval, 1)
        self.interval = interval

    def due(self, runner: Runner) -> bool:
        """Whether to look at the current iteration."""
        return self.every_n_train_iters(runner, self.interval)

    @abstractmethod
    def look(self, runner: Runner, model: Any, record: dict) -> None:
        """Look at an iteration.

        Args:
            runner (Runner): The run.
            model (MutualSemiSegmentor): Its model.
            record (dict): ``sources``: by name of a teacher (of a student,
                where it makes labels), a dict with ``probs`` (M, K, H, W),
                their most probable classes ``plain`` (M, H, W) and the
                ``labels`` (M, H, W) that a rectifier made of them;
                ``mixed``: for each student its view (V, 3, H, W), targets
                (name, labels (V, H, W), weight), ``valid`` (V, H, W) and
                logits (V, K, H, W); ``predictions``: where teachers predict,
                their current probabilities (M, K, H, W); and of the batch
                ``weak`` (M, 3, H, W), ``valid`` (M, H, W), ``labelled``, the
                ground truth (N, H, W), and ``masks`` (M, H, W), if
                unlabelled images have masks for monitoring.
        """

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Ask the model to record the iteration."""
        if not self.due(runner):
            return
        model = unwrap(runner.model)
        if model.record is None:
            model.record = {READERS: 0}
        model.record[READERS] += 1

    @torch.no_grad()
    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[dict] = None,
    ) -> None:
        """Look, unless the iteration used no unlabelled image."""
        if not self.due(runner):
            return
        model = unwrap(runner.model)
        record = model.record
        record[READERS] -= 1
        if record[READERS] == 0:
            model.record = None
        if 'sources' in record:
            self.look(runner, model, record)
