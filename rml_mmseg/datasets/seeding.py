"""Random state that depends on a seed alone."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.device import get_device


def derive_seed(*entropy: int) -> int:
    """Derive a well-mixed 32-bit seed from several numbers.

    Args:
        entropy (int): Such as a run's seed, an iteration and a rank; each
            0 or more.

    Returns:
        int: The same for the same numbers, in [0, 2**32).
    """
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def seed_devices(seed: int) -> None:
    """Seed PyTorch's generators of the CPU and of the device in use.

    ``torch.manual_seed`` would also queue the seed, with a stack trace, for
    every type of device that is not in use, at each call.

    Args:
        seed (int): In [0, 2**32).
    """
    if get_device() not in ('cpu', 'cuda'):
        torch.manual_seed(seed)
        return
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed ``random``, NumPy and PyTorch's CPU generator within a context.

    What a transform draws inside depends on the seed alone, not on the
    worker or on earlier draws. The previous states are restored afterwards.

    Args:
        seed (int): In [0, 2**32).
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
