"""The classes of docs/extending.md train, are saved, and are checked."""

import math
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmseg.registry import MODELS

from rml_mmseg.engine.checks.config import check_config
from rml_mmseg.models.export import check_learner
from tests.toys import (
    labelled_cfg,
    semi_loader,
    toy_batch,
    toy_model_cfg,
    toy_runner,
    unlabelled_cfg,
    write_toy_sets,
)

DOCUMENT = Path(__file__).resolve().parents[2] / 'docs' / 'extending.md'
EMA = dict(type='MutualEMAHook')
PACKED = dict(type='PackSemiSegInputs')
THRESHOLDS = dict(type='ClassThresholds', momentum=0.5)


@pytest.fixture(scope='module', autouse=True)
def own():
    """Names that the page defines, as if in a user's module."""
    blocks = re.findall(r'```python\n(.*?)```', DOCUMENT.read_text(), re.S)
    names = {'__name__': 'my_method'}
    for block in blocks[1:]:
        code = block.replace(
            '.register_module()', '.register_module(force=True)'
        )
        exec(code, names)
    assert len(blocks) == 7
    return names


def train(folder, steps=(), hooks=(), kept=PACKED, looks=(), **model):
    """Train toys for two stages, with more transforms after the views."""
    write_toy_sets(folder)
    unlabelled = unlabelled_cfg(folder / 'unlabelled')
    unlabelled['pipeline'][-1:] = [*steps, kept]
    kind = model.pop('type', 'MutualSemiSegmentor')
    runner = toy_runner(
        folder,
        looks,
        model=dict(toy_model_cfg(rectifier=None), type=kind, **model),
        train_cfg=dict(type='StagedTrainLoop', iters_per_stage=3, stages=2),
        train_dataloader=semi_loader(
            labelled_cfg(folder / 'labelled'), unlabelled
        ),
        custom_hooks=[EMA, *hooks],
    )
    runner.train()
    return runner


def scalar(runner, name):
    return runner.message_hub.get_scalar(f'train/{name}').data[0]


def test_thresholds_follow_the_teachers(tmp_path):
    state = train(tmp_path, rectifier=THRESHOLDS).model.state_dict()
    for i in range(2):
        shares = state[f'rectifiers.{i}.shares']
        torch.testing.assert_close(shares.sum(), torch.tensor(1.0))
        assert not torch.allclose(shares, torch.full((3,), 1 / 3), atol=1e-3)


def test_pixels_weigh_by_how_sure_the_teacher_is(tmp_path):
    unit = MODELS.build(
        dict(type='WeighedPrototypes', num_classes=2, channels=1)
    )
    top = torch.tensor([0.9, 0.7, 0.5])
    probs = torch.stack([top, 1 - top])[None, :, None]
    valid = torch.tensor([[[True, True, True]]])
    labels, weights = unit(probs, torch.zeros(1, 1, 1, 3), valid)
    assert labels.shape == weights.shape == (1, 1, 3)
    # The mean is 0.7, the variance 0.08 / 3.
    expected = torch.tensor([1.0, 1.0, math.exp(-0.75)])
    torch.testing.assert_close(weights[0, 0], expected, atol=1e-4, rtol=0)
    runner = train(
        tmp_path,
        [dict(type='CutMix')],
        rectifier=dict(type='WeighedPrototypes'),
    )
    assert math.isfinite(scalar(runner, 'students.0.loss_peer1')[-1])


def test_thresholds_leave_out_unsure_pixels():
    probs = torch.tensor([[0.9, 0.1], [0.55, 0.45]]).T[None, :, None]
    unit = MODELS.build(dict(THRESHOLDS, num_classes=2, channels=1))
    unit.level.fill_(0.8)
    # The level is then 0.7625, the larger share 0.6125.
    assert unit(probs, None).tolist() == [[[0, 255]]]
    torch.testing.assert_close(unit.level, torch.tensor([0.7625]))


def test_a_loss_for_each_learner(tmp_path):
    loss = dict(type='SureFirstLoss')
    runner = train(tmp_path, semi_train_cfg=dict(loss=loss))
    limits = scalar(runner, 'sure_first/limit')
    assert len(limits) == 12
    assert 1 / 3 < limits[0] < 1
    losses = runner.model.pseudo_label_losses
    assert len({id(item) for item in losses}) == 2


def test_masks_of_ones_own_and_values_of_an_item(tmp_path):
    seen = []

    class Look(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            seen.append(data_batch)

    pack = dict(PACKED, meta_keys=('img_path', 'sample_idx'))
    stripes = dict(type='StripeMix', width=2)
    train(tmp_path, [stripes], kept=pack, looks=[Look()])
    part = seen[0]['unlabelled'][0]
    mask = part['inputs']['mix_mask'][0]
    assert mask.shape == (8, 10)
    assert mask.any(0).all() == mask.all(0).all()
    assert 0 < mask.float().mean() < 1
    assert 'sample_idx' in part['data_samples'][0].metainfo


def test_labels_are_pasted_by_a_child_of_the_segmentor(tmp_path):
    runner = train(tmp_path, [dict(type='CutMix')], type='PastesLabels')
    model = runner.model
    inputs, samples = toy_batch()
    inputs['mix_boxes'] = torch.tensor([[0, 0, 2, 3], [1, 1, 4, 4]])
    samples['labelled'][0].gt_sem_seg.data[0, 0, 0] = 255
    truth = torch.cat([s.gt_sem_seg.data for s in samples['labelled']])
    model.loss(inputs, samples)
    labels = torch.zeros(2, 6, 8, dtype=torch.long)
    inputs['valid'][:] = False
    view, targets, valid = model.student_view(
        0, inputs, [('self', labels, 1.0)]
    )
    boxes = ((0, (slice(0, 2), slice(0, 3))), (1, (slice(1, 4), slice(1, 4))))
    wanted, images = labels.clone(), inputs['strong'][0].clone()
    for n, box in boxes:
        wanted[n][box] = truth[n][box]
        images[n][:, box[0], box[1]] = inputs['labelled'][n][:, box[0], box[1]]
    assert torch.equal(view, images)
    assert torch.equal(targets[0][1], wanted)
    assert valid.sum() == 6 + 9 - 1
    cfg = Config(dict(model=toy_model_cfg(), train_cfg=dict(max_epochs=1)))
    cfg.model.type = 'PastesLabels'
    with pytest.raises(ValueError, match='counts epochs'):
        check_config(cfg)
    assert check_learner(cfg, None) == 'teachers.0'


def test_a_monitor_is_logged(tmp_path):
    hook = dict(type='EntropyMonitor', interval=3)
    runner = train(tmp_path, hooks=[hook])
    for name in ('teachers.0', 'teachers.1'):
        values = scalar(runner, f'monitor/{name}/entropy')
        assert len(values) == 2
        assert all(0 < value < torch.tensor(3.0).log() for value in values)
