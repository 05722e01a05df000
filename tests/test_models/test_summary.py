"""Parameters and operations counted by hand."""

import sys

import pytest
import torch
from mmseg.registry import MODELS

from rml_mmseg.models.summary import count_flops, summarise_networks
from tests.toys import toy_mutual, toy_segmentor
from tests.versions import needs_flop_counter

SIZE = (6, 8)
# Pixel by pixel 3 to 4, 4 to 4 and, the classifier, 4 to 3 channels.
PARAMETERS = (3 * 4 + 4) + (4 * 4 + 4) + (4 * 3 + 3)
FLOPS = 2 * 6 * 8 * (3 * 4 + 4 * 4 + 4 * 3)


@needs_flop_counter
def test_four_networks():
    model = toy_mutual()
    found = summarise_networks(model, SIZE)
    assert [item.name for item in found] == [
        *('students.0', 'students.1', 'teachers.0', 'teachers.1'),
    ]
    for item in found:
        assert item.kind == 'ToyBackbone, FCNHead'
        assert item.parameters == PARAMETERS
        assert item.flops == FLOPS
    assert [item.trained for item in found] == [PARAMETERS] * 2 + [0] * 2
    assert [item.role for item in found] == [
        'trained by gradients',
        'trained by gradients',
        'moving average of students.0, deployed',
        'moving average of students.1',
    ]


@needs_flop_counter
@pytest.mark.parametrize(
    ('predict_on', 'deployed'),
    [
        ('students.1', ['students.1']),
        ('ensemble', ['teachers.0', 'teachers.1']),
    ],
)
def test_what_is_deployed(predict_on, deployed):
    model = toy_mutual(test_cfg=dict(mode='whole', predict_on=predict_on))
    found = summarise_networks(model, SIZE)
    assert [i.name for i in found if 'deployed' in i.role] == deployed


@needs_flop_counter
def test_a_plain_segmentor_and_frozen_parameters():
    model = MODELS.build(toy_segmentor())
    model.backbone.first.requires_grad_(False)
    (found,) = summarise_networks(model, SIZE)
    assert (found.name, found.role) == ('model', 'trained and deployed')
    assert found.trained == PARAMETERS - 16


@needs_flop_counter
def test_attention_is_counted():
    class Attends(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Conv2d(3, 4, 1)

        def _forward(self, images):
            x = self.first(images).flatten(2).transpose(1, 2)
            return torch.nn.functional.scaled_dot_product_attention(x, x, x)

    # 48 tokens of 4 channels: scores, and their sums of values.
    attention = 2 * 2 * 48 * 48 * 4
    assert count_flops(Attends(), SIZE) == 2 * 48 * 3 * 4 + attention


@needs_flop_counter
def test_counting_changes_no_mode_and_no_statistics():
    model = toy_mutual(segmentors=[toy_segmentor(norm=True)] * 2)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    count_flops(model.students[0], SIZE)
    assert model.students[0].training
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_counting_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch.nn.attention', None)
    with pytest.raises(RuntimeError, match=r'PyTorch 2\.3 or later, found'):
        count_flops(MODELS.build(toy_segmentor()), SIZE)
