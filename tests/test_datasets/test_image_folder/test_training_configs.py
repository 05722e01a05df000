import pytest

from rml_mmseg.datasets.image_folder.training_configs import training_sizes


@pytest.mark.parametrize(
    ('sizes', 'long_side', 'scale', 'crop'),
    [
        # CamVid, as it is and at a third of its size.
        ([(360, 480)], 512, (480, 360), (336, 448)),
        ([(360, 480)], 160, (160, 120), (112, 144)),
        ([(10, 20), (40, 80), (41, 90)], 512, (80, 40), (32, 64)),
        ([(4, 4)], 512, (4, 4), (16, 16)),
    ],
)
def test_sizes(sizes, long_side, scale, crop):
    assert training_sizes(sizes, long_side) == (scale, crop)
