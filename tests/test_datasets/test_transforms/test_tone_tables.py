import mmcv
import numpy as np
import pytest

from rml_mmseg.datasets.transforms import tone_tables


def images():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (37, 41, 3), dtype=np.uint8)
    yield noise
    # Few values, far from both ends, and a channel of a single one.
    yield (noise // 3 + 60) * np.array([1, 1, 0], np.uint8) + 5
    # Dark with one bright pixel: the last bin holds next to nothing.
    dark = rng.integers(0, 9, (24, 32, 3), dtype=np.uint8)
    dark[3, 4] = 255
    yield dark
    yield np.full((8, 8, 3), 200, np.uint8)


@pytest.mark.parametrize('image', list(images()))
@pytest.mark.parametrize(
    ('ours', 'theirs'),
    [
        (tone_tables.auto_contrast, mmcv.auto_contrast),
        (tone_tables.equalize, mmcv.imequalize),
    ],
)
def test_tables_give_what_mmcv_computes(image, ours, theirs):
    found = ours(image)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, theirs(image).astype(np.uint8))


@pytest.mark.parametrize('image', list(images()))
@pytest.mark.parametrize('factor', [0.05, 0.4, 1.0, 1.37, 1.95])
@pytest.mark.parametrize('operation', ['adjust_contrast', 'adjust_color'])
def test_blending_is_that_of_mmcv(image, factor, operation):
    np.testing.assert_array_equal(
        getattr(tone_tables, operation)(image, factor),
        getattr(mmcv, operation)(image, factor),
    )


def test_operations_change_the_image():
    image = next(images()) // 2
    assert tone_tables.auto_contrast(image).max() == 255
    assert tone_tables.equalize(image).mean() > image.mean()
    assert np.ptp(tone_tables.adjust_contrast(image, 0.0)) == 0
