"""The training data loader: shielded workers and pinned batches."""

from typing import Union

import torch
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from rml_mmseg.datasets.pinned_collate import PinnedCollate

from ..hooks.interruption_hook import InterruptionHook


def training_dataloader(
    runner: Runner, dataloader: Union[DataLoader, dict]
) -> DataLoader:
    """Build a loader as ``BaseLoop`` does, adapted to signals and GPUs.

    Args:
        runner (Runner): The runner, with its hooks.
        dataloader (DataLoader | dict): A built loader, or its config.

    Returns:
        DataLoader: Its workers leave the signals of an ``InterruptionHook``
        to the main process. With a GPU, a thread pins the batches that they
        send, unless a config sets ``pin_memory=False``.
    """
    if isinstance(dataloader, DataLoader):
        loader = dataloader
        pinned = loader.pin_memory
    else:
        loader = runner.build_dataloader(
            dataloader,
            seed=runner.seed,
            diff_rank_seed=runner._randomness_cfg.get('diff_rank_seed', False),
        )
        pinned = dataloader.get('pin_memory', True)
    for hook in runner.hooks:
        if isinstance(hook, InterruptionHook):
            hook.shield(loader)
    # Without workers there is no thread that pins.
    if pinned and loader.num_workers and torch.cuda.is_available():
        loader.pin_memory = True
        loader.collate_fn = PinnedCollate(loader.collate_fn)
    return loader
