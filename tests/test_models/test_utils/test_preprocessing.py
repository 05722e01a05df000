import pytest
import torch
from mmseg.registry import MODELS

from rml_mmseg.models.utils.preprocessing import swaps_channels


@pytest.mark.parametrize('option', ['bgr_to_rgb', 'rgb_to_bgr', None])
def test_tells_what_happens_to_an_image(option):
    options = {option: True} if option else {}
    preprocessor = MODELS.build(
        dict(type='mmseg.SegDataPreProcessor', size_divisor=1, **options)
    )
    image = torch.arange(3, dtype=torch.uint8).view(3, 1, 1)
    batch = preprocessor(dict(inputs=[image], data_samples=None))
    swapped = batch['inputs'].flatten().tolist() == [2, 1, 0]
    assert swaps_channels(preprocessor) is swapped is bool(option)
