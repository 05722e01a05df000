"""What the tests of the converters share."""

import numpy as np
from PIL import Image


def save(path, array):
    """Write ids or an RGB image without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, dtype=np.uint8)).save(path)


def ids(path):
    """Ids of a grey mask, which it must be, as lists."""
    with Image.open(path) as file:
        assert file.mode == 'L'
        return np.asarray(file).tolist()


def photo(height, width, seed=0):
    """Noise, (height, width, 3)."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (height, width, 3))
