"""The data of a loop, from workers that signals do not end."""

from typing import Union

from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ..hooks.interruption_hook import InterruptionHook


def shielded_dataloader(
    runner: Runner, dataloader: Union[DataLoader, dict]
) -> DataLoader:
    """A data loader as ``BaseLoop`` builds it, for ``InterruptionHook``.

    Args:
        runner (Runner): The runner, with its hooks.
        dataloader (DataLoader | dict): One that is built, or its config.

    Returns:
        DataLoader: Its workers leave the hook's signals to the main process.
    """
    if isinstance(dataloader, DataLoader):
        loader = dataloader
    else:
        loader = runner.build_dataloader(
            dataloader,
            seed=runner.seed,
            diff_rank_seed=runner._randomness_cfg.get('diff_rank_seed', False),
        )
    for hook in runner.hooks:
        if isinstance(hook, InterruptionHook):
            hook.shield(loader)
    return loader
