import numpy as np
import pytest
from mmpretrain.datasets.transforms import (
    AutoContrast,
    Brightness,
    ColorTransform,
    Contrast,
    Equalize,
    Invert,
    Posterize,
    Solarize,
    SolarizeAdd,
)

from rml_mmseg.datasets import PhotometricRandAugment
from rml_mmseg.datasets.seeding import seeded
from rml_mmseg.datasets.transforms.tabled_operation import TabledOperation

STRENGTH = dict(
    magnitude_range=(0, 0.95), magnitude_level=10, magnitude_std='inf'
)
FIXED = dict(magnitude=0.5, random_negative_prob=0.0)


def picture():
    draw = np.random.default_rng(1)
    return draw.integers(20, 90, (16, 24, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ('kind', 'settings'),
    [
        (AutoContrast, {}),
        (Equalize, {}),
        (ColorTransform, STRENGTH),
        (ColorTransform, FIXED),
        (Contrast, STRENGTH),
        (Contrast, FIXED),
        (Brightness, STRENGTH),
        (Brightness, FIXED),
        (Invert, {}),
        (Posterize, dict(STRENGTH, magnitude_range=(8, 4))),
        (Solarize, dict(STRENGTH, magnitude_range=(256, 0))),
        (SolarizeAdd, dict(STRENGTH, magnitude_range=(0, 110))),
    ],
)
def test_operation_draws_and_computes_as_the_stock_one(kind, settings):
    stock = kind(prob=0.6, **settings)
    changed = []
    for seed in range(12):
        results = []
        for operation in (stock, TabledOperation(stock)):
            with seeded(seed):
                done = operation.transform(dict(img=picture()))['img']
                # Later random numbers must be the same, too.
                results.append((done, np.random.rand()))
        np.testing.assert_array_equal(results[0][0], results[1][0])
        assert results[0][1] == results[1][1]
        changed.append((results[1][0] != picture()).any())
    assert any(changed) and not all(changed)


def test_rand_augment_uses_tables_where_there_are_some():
    transforms = PhotometricRandAugment().augment.transforms
    tabled = [
        type(transform.stock).__name__
        for transform in transforms
        if isinstance(transform, TabledOperation)
    ]
    assert tabled == [
        'AutoContrast',
        'Equalize',
        'Posterize',
        'Solarize',
        'ColorTransform',
        'Contrast',
        'Brightness',
    ]
    assert repr(transforms[0]) == repr(transforms[0].stock)
