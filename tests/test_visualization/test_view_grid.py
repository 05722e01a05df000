import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.structures import SegDataSample

from rml_mmseg.visualization import class_colours
from rml_mmseg.visualization.view_grid import INVALID, OUTLINE, view_rows

COLOURS = class_colours(2, [[200, 0, 0], [0, 200, 0]])


def sample(labels):
    data = torch.as_tensor(labels)[None]
    return SegDataSample(gt_sem_seg=PixelData(data=data))


def flat(*values):
    """Images (N, 3, 6, 8) of one colour each."""
    rows = [torch.full((3, 6, 8), float(value)) for value in values]
    return torch.stack(rows)


@pytest.fixture
def batch():
    labels = torch.ones(6, 8, dtype=torch.long)
    labels[0] = 255
    labels[1] = 0
    valid = torch.ones(2, 6, 8, dtype=torch.bool)
    valid[1, :, 7] = False
    inputs = dict(
        labelled=flat(100),
        weak=flat(10, 20),
        strong=torch.stack([flat(30, 40), flat(50, 60)]),
        valid=valid,
        mix_boxes=torch.tensor([[1, 2, 6, 8], [0, 0, 6, 4]]),
    )
    return inputs, dict(
        labelled=[sample(labels)],
        unlabelled=[SegDataSample(), SegDataSample()],
    )


def rows_of(batch, **kwargs):
    base = SegDataPreProcessor(bgr_to_rgb=True, size_divisor=1)
    rows = view_rows(*batch, base, COLOURS, **kwargs)
    return [{panel.title: panel.picture for panel in row} for row in rows]


def test_views_are_those_of_the_batch(batch):
    first, second = rows_of(batch)
    assert list(first) == [
        'labelled', 'its label', 'weak', 'valid: 100%', 'strong 0',
        'strong 1', 'mixed 0', 'mixed 1', 'valid when mixed: 90%',
    ]  # fmt: skip
    # Two unlabelled images go with the one labelled.
    assert (first['labelled'] == 100).all()
    assert (second['labelled'] == 100).all()
    assert (second['weak'] == 20).all() and (second['strong 1'] == 60).all()
    label = first['its label']
    assert label[0, 0].tolist() == [114, 114, 114]
    assert label[1, 0].tolist() == [200, 0, 0]
    assert label[2, 0].tolist() == [0, 200, 0]


def test_mixed_views_show_what_is_pasted(batch):
    first, second = rows_of(batch)
    mixed = first['mixed 0']
    # Within the border is the partner's view, outside the own one.
    assert mixed[3, 4, 0] == 40 and mixed[3, 0, 0] == 30
    assert mixed[1, 4].tolist() == list(OUTLINE)
    assert second['mixed 1'][3, 1, 0] == 50


def test_each_strong_view_of_a_learner_has_its_own_box(batch):
    boxes = batch[0]['mix_boxes']
    others = torch.tensor([[0, 0, 2, 3], [3, 0, 6, 8]])
    batch[0]['mix_boxes'] = torch.stack([boxes, others], 1)
    first, second = rows_of(batch, strong_views=2)
    assert first['mixed 0'][3, 4, 0] == 40
    assert first['mixed 1'][3, 4, 0] == 50 and first['mixed 1'][0, 1, 0] != 50
    # Two learners of one view each share the first box.
    first, second = rows_of(batch)
    assert first['mixed 1'][3, 4, 0] == 60


def test_padding_follows_the_box(batch):
    first, second = rows_of(batch)
    assert second['valid: 88%'][3, 7].tolist() == list(INVALID)
    assert first['valid when mixed: 90%'][0, 7].tolist() != list(INVALID)
    seen = first['valid when mixed: 90%'][2:5, 7].tolist()
    # The border is drawn over the column.
    assert all(pixel in (list(INVALID), list(OUTLINE)) for pixel in seen)


def test_class_mix_without_masks_shows_no_mixed_view(batch):
    inputs, samples = batch
    del inputs['mix_boxes']
    order = torch.full((2, 256), 0.5)
    order[:, 1] = 0.1
    inputs['mix_classes'] = order
    assert 'mixed 0' not in rows_of((inputs, samples))[0]
    labels = torch.zeros(6, 8, dtype=torch.long)
    labels[:, 4:] = 1
    samples['unlabelled'] = [sample(labels), sample(labels)]
    mixed = rows_of((inputs, samples))[0]['mixed 0']
    assert mixed[3, 6, 0] == 40 and mixed[3, 1, 0] == 30


def test_nothing_mixed(batch):
    inputs, samples = batch
    del inputs['mix_boxes']
    row = rows_of((inputs, samples))[0]
    assert list(row)[-1] == 'strong 1'
    assert row['strong 0'].dtype == np.uint8
