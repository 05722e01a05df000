"""Training loop whose iterations a benchmark runs itself."""

from typing import Any, Callable, Union

from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from rml_mmseg.engine.loops import StagedTrainLoop

# More than any benchmark runs, so that no validation or stage end comes.
ENDLESS = 10**6


class MeasuredLoop(StagedTrainLoop):
    """Prepares a training and hands its iterations to a function.

    After all that a Runner does before the first iteration, the function is
    called once and may call ``iteration`` as often as it likes.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): Loader of the training set.
        measure (Callable): Called with this loop.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: Union[DataLoader, dict],
        measure: Callable[['MeasuredLoop'], Any],
    ) -> None:
        super().__init__(
            runner,
            dataloader,
            iters_per_stage=ENDLESS,
            val_interval=ENDLESS,
            initialise=False,
        )
        self.measure = measure

    def run(self) -> nn.Module:
        """Start the training and call the function."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        self._resume_within_stage()
        if self._stage_files is not None and not self._iter:
            self._begin_labels()
        self.measure(self)
        return self.runner.model

    def iteration(self) -> None:
        """Run one training iteration, including the wait for its data."""
        self._train_on_next()
