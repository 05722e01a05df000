"""Compiling the backbones of all learners."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ..unwrap import unwrap

# Times that PyTorch may compile one network: in training and evaluation, and
# for several image sizes.
VARIANTS = 8


@HOOKS.register_module()
class CompileBackbonesHook(Hook):
    """Compiles the backbones of students and teachers by ``torch.compile``.

    The backbones do most of the work and have no branches that depend on
    data; heads, losses and labels stay as they are. mmengine's
    ``compile=True`` compiles the whole ``train_step`` instead, with parts
    that break its graphs. Names of parameters stay the same.

    Args:
        kwargs: Arguments of ``torch.compile``, such as ``mode`` or
            ``backend``.

    Raises:
        RuntimeError: Before PyTorch 2.0.
    """

    def __init__(self, **kwargs: Any) -> None:
        if not hasattr(torch, 'compile'):
            raise RuntimeError(
                'CompileBackbonesHook needs PyTorch 2.0 or later, found '
                f'{torch.__version__}; remove it from custom_hooks'
            )
        self.kwargs = kwargs

    def before_train(self, runner: Runner) -> None:
        """Set up compilation, which takes place in the first iterations."""
        model = unwrap(runner.model)
        networks = [*model.students, *model.teachers]
        # Networks of one class share a limit, which PyTorch sets for one.
        limits: Any = torch._dynamo.config
        limit = VARIANTS * len(networks)
        limits.cache_size_limit = max(limits.cache_size_limit, limit)
        for network in networks:
            backbone = network.backbone
            backbone.forward = torch.compile(backbone.forward, **self.kwargs)
