"""Mixed precision on any device, without a gradient scaler."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from mmseg.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Autocast to bfloat16, on a CPU as well as on a GPU.

    mmengine's ``AmpOptimWrapper`` refuses a CPU. bfloat16 has the range of
    float32, so it needs no gradient scaler either; for float16 on a GPU
    use ``AmpOptimWrapper``. Weights, gradients, the teachers, softmax and
    prototypes stay in float32. One line of a config:

    .. code-block:: python

        optim_wrapper = dict(type='BFloat16OptimWrapper')

    Args:
        kwargs: Arguments of ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, with the gradient accumulation of ``OptimWrapper``.

        Args:
            model (nn.Module): The model in training.
        """
        autocast = torch.autocast(get_device(), dtype=torch.bfloat16)
        with super().optim_context(model), autocast:
            yield
