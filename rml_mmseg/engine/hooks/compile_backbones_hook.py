"""Compiling the backbones of all learners."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ..unwrap import unwrap

# That PyTorch compiles of one network: in training and evaluation, and for
# several sizes of images.
VARIANTS = 8


@HOOKS.register_module()
class CompileBackbonesHook(Hook):
    """Compiles the backbones of students and teachers by ``torch.compile``.

    The backbones are most of the work and have no branches that depend on
    data; heads, losses and labels stay as they are. Where mmengine's
    ``compile=True`` compiles the whole ``train_step``, this leaves out what
    breaks its graphs. Names of parameters stay the same.

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
                f'{torch.__version__}; take it out of custom_hooks'
            )
        self.kwargs = kwargs

    def before_train(self, runner: Runner) -> None:
        """Compile; the work itself is done in the first iterations."""
        model = unwrap(runner.model)
        networks = [*model.students, *model.teachers]
        # Those of one class share one limit, which is PyTorch's for one.
        limits: Any = torch._dynamo.config
        limit = VARIANTS * len(networks)
        limits.cache_size_limit = max(limits.cache_size_limit, limit)
        for network in networks:
            backbone = network.backbone
            backbone.forward = torch.compile(backbone.forward, **self.kwargs)
