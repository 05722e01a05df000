"""Settings of the wrapper, and what a wrong one says."""

import warnings

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.models.decode_heads import FCNHead
from mmseg.registry import MODELS
from torch import nn

from rml_mmseg.models import MutualSemiSegmentor, PrototypeRectifier
from rml_mmseg.models.utils import learners
from tests.toys import total, toy_batch, toy_mutual, toy_segmentor

PLAIN = dict(type='CrossEntropyLoss')


def _changed(**head):
    segmentor = toy_segmentor()
    segmentor['decode_head'].update(head)
    return segmentor


@MODELS.register_module(force=True)
class _NoClassifier(FCNHead):
    """Head whose last layer has an unusual name."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.last = self.conv_seg
        del self.conv_seg

    def cls_seg(self, feat):
        return self.last(feat)

    def init_weights(self):
        pass


def _no_classifier():
    segmentor = toy_segmentor()
    segmentor['decode_head']['type'] = '_NoClassifier'
    return segmentor


@pytest.mark.parametrize('field', ['predict_on', 'score'])
@pytest.mark.parametrize('name', ['teacher.0', 'students.2', 'mean'])
def test_unknown_learner_is_an_error(field, name):
    value = name if field == 'predict_on' else [name]
    with pytest.raises(ValueError, match=f"model.test_cfg.{field}='{name}'"):
        toy_mutual(2, test_cfg={field: value})


def test_settings_of_a_test_have_their_form():
    with pytest.raises(ValueError, match='score must be a list of names, got'):
        toy_mutual(2, test_cfg=dict(score='teachers.1'))
    windows = dict(mode='slide', crop_size=(8, 8), stride=(4, 4))
    for name, value in (('crop_size', 32), ('stride', [8, 8, 8])):
        with pytest.raises(ValueError, match=f'{name} must be a height and'):
            toy_mutual(2, test_cfg={**windows, name: value})


def test_hint_names_the_learner_that_was_meant():
    with pytest.raises(ValueError, match="did you mean 'teachers.1'"):
        toy_mutual(2, test_cfg=dict(predict_on='teacher.1'))


@pytest.mark.parametrize(
    'cfg',
    [
        dict(self_source='student', peer_source='student'),
        dict(self_weight=0.0, peer_source='student'),
        dict(self_source='student', peer_weight=0.0),
    ],
)
def test_what_would_change_no_label_is_refused(cfg):
    plain = toy_mutual(2, rectifier=None, semi_train_cfg=cfg)
    assert total(plain.loss(*toy_batch())).isfinite()
    with pytest.raises(ValueError, match='set rectifier=None'):
        toy_mutual(2, semi_train_cfg=cfg)
    for name, value in (('ensemble_p0', True), ('p0', 'stage')):
        with pytest.raises(ValueError, match=f'semi_train_cfg.{name}='):
            toy_mutual(2, rectifier=None, semi_train_cfg={**cfg, name: value})


def _checkpointed():
    segmentor = toy_segmentor()
    segmentor['backbone'] = dict(
        type='ResNet',
        depth=18,
        stem_channels=4,
        base_channels=4,
        norm_cfg=dict(type='BN'),
        with_cp=True,
    )
    segmentor['decode_head'].update(in_channels=32, channels=32, in_index=3)
    return segmentor


@pytest.mark.parametrize(
    'cfg',
    [
        dict(joint_forward=False),
        dict(unlabelled_statistics=False),
        dict(feature_dropout=0.5),
    ],
)
def test_checkpointing_in_several_passes_needs_one_process(cfg, monkeypatch):
    toy_mutual(segmentors=[_checkpointed()], semi_train_cfg=cfg)
    monkeypatch.setattr(learners, 'get_world_size', lambda: 2)
    toy_mutual(segmentors=[_checkpointed()])
    name, value = next(iter(cfg.items()))
    with pytest.raises(ValueError, match=f'semi_train_cfg.{name}={value} mak'):
        toy_mutual(segmentors=[_checkpointed()], semi_train_cfg=cfg)


def test_checkpointing_of_images_of_two_sizes(monkeypatch):
    monkeypatch.setattr(learners, 'get_world_size', lambda: 2)
    inputs = dict(
        labelled=torch.zeros(1, 3, 8, 8), weak=torch.zeros(1, 3, 8, 6)
    )
    toy_mutual(2).check_passes(inputs)
    model = toy_mutual(segmentors=[_checkpointed()])
    model.check_passes(dict(inputs, weak=inputs['labelled']))
    with pytest.raises(ValueError, match='different crop_size'):
        model.check_passes(inputs)


def test_checkpointing_of_a_head_with_a_loss_of_its_own(monkeypatch):
    monkeypatch.setattr(learners, 'get_world_size', lambda: 2)
    model = toy_mutual(2)
    kind = type(model.students[1].decode_head)
    own = type('OwnHead', (kind,), {'loss_by_feat': lambda *_: {}})
    model.students[1].decode_head.__class__ = own
    model.check_passes()
    # Like mmengine's activation_checkpointing, of unknown modules.
    model.recomputed.activate()
    with pytest.raises(ValueError, match=r'segmentors\[1\], OwnHead makes'):
        model.check_passes()


def test_misspelt_learner_to_deploy_is_an_error():
    with pytest.raises(ValueError, match="'predicton'; did you mean 'predict"):
        toy_mutual(2, test_cfg=dict(predicton='teachers.1'))
    with pytest.raises(ValueError, match=r"no setting 'deployed'\. Known: \["):
        toy_mutual(2, test_cfg=dict(deployed='students.0'))
    toy_mutual(2, test_cfg=dict(subdivision_steps=2))


def test_classes_of_an_auxiliary_head_must_agree():
    segmentor = toy_segmentor()
    segmentor['auxiliary_head'] = dict(segmentor['decode_head'], num_classes=5)
    with pytest.raises(ValueError, match='auxiliary_head.num_classes is 5'):
        toy_mutual(segmentors=[segmentor])


def test_an_auxiliary_head_may_learn_edges():
    segmentor = toy_segmentor()
    head = segmentor['decode_head']
    segmentor['auxiliary_head'] = dict(head, type='STDCHead', num_classes=2)
    model = toy_mutual(segmentors=[segmentor])
    assert model.num_classes == 3


def test_classes_must_agree():
    with pytest.raises(ValueError, match=r'num_classes, found \[3, 4\]'):
        toy_mutual(segmentors=[toy_segmentor(), toy_segmentor(num_classes=4)])


def test_one_output_for_two_classes_is_an_error():
    binary = _changed(
        num_classes=2,
        out_channels=1,
        threshold=0.3,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True),
    )
    with pytest.raises(ValueError, match='out_channels must equal'):
        toy_mutual(segmentors=[binary])


def test_one_class_is_an_error():
    with pytest.raises(ValueError, match='found 1.*num_classes=2, out_chan'):
        toy_mutual(
            segmentors=[
                _changed(
                    num_classes=1,
                    threshold=0.3,
                    loss_decode=dict(
                        type='CrossEntropyLoss', use_sigmoid=True
                    ),
                )
            ]
        )


def test_ignore_index_must_be_255():
    with pytest.raises(ValueError, match=r'ignore_index.*\[255, 0\]'):
        toy_mutual(segmentors=[toy_segmentor(), _changed(ignore_index=0)])


def test_no_learner_is_an_error():
    with pytest.raises(ValueError, match='model.segmentors'):
        toy_mutual(segmentors=[])


@pytest.mark.parametrize('key', ['pretrained', 'init_cfg', 'train_cfg'])
def test_what_belongs_to_the_segmentors(key):
    with pytest.raises(ValueError, match='model.segmentors'):
        toy_mutual(2, **{key: 'x.pth'})


def test_what_stock_tools_set_is_accepted():
    toy_mutual(2, pretrained=None, train_cfg=None, init_cfg=None)
    toy_mutual(2, train_cfg={})


def test_unknown_semi_setting_is_an_error():
    with pytest.raises(ValueError, match='semi_train_cfg has no setting'):
        toy_mutual(2, semi_train_cfg=dict(unsup=1))


@pytest.mark.parametrize('kind', ['CrossEntropyLoss', 'DiceLoss'])
def test_loss_of_a_head_is_an_error(kind):
    message = f'semi_train_cfg.loss=.*{kind}.*PseudoLabelLoss or Consist'
    with pytest.raises(ValueError, match=message):
        toy_mutual(2, semi_train_cfg=dict(loss=dict(type=kind)))


class _Returns(nn.Module):
    """A loss that returns what it was built with."""

    def __init__(self, costs):
        super().__init__()
        self.costs = costs

    def forward(self, logits, labels, valid=None):
        return self.costs


@pytest.mark.parametrize(
    'costs',
    [torch.tensor(1.0), [torch.tensor(1.0)], [torch.ones(2, 6, 8)] * 2],
)
def test_a_loss_returns_a_scalar_for_each_set_of_labels(costs):
    MODELS.register_module('_Returns', module=_Returns, force=True)
    loss = dict(type='_Returns', costs=costs)
    model = toy_mutual(2, rectifier=None, semi_train_cfg=dict(loss=loss))
    with pytest.raises(ValueError, match='_Returns must .* list of 2 scalars'):
        model.loss(*toy_batch())


def test_each_learner_by_its_own_loss():
    kinds = [
        dict(type='_Returns', costs=[torch.tensor(c)] * 2) for c in (1.0, 2.0)
    ]
    MODELS.register_module('_Returns', module=_Returns, force=True)
    model = toy_mutual(2, semi_train_cfg=dict(loss=kinds))
    losses = model.loss(*toy_batch())
    for i, cost in enumerate((1.0, 2.0)):
        assert losses[f'students.{i}.loss_self'] == cost
        assert losses[f'students.{i}.loss_peer{1 - i}'] == cost


@pytest.mark.parametrize(
    ('loss', 'message'),
    [
        (['PseudoLabelLoss'], 'has 1 configs for 2 model.segmentors'),
        (
            ['PseudoLabelLoss', 'ConsistencyLoss'],
            'takes_probabilities .*differs',
        ),
    ],
)
def test_losses_that_do_not_fit_the_learners(loss, message):
    loss = [dict(type=kind) for kind in loss]
    with pytest.raises(ValueError, match=message):
        toy_mutual(2, rectifier=None, semi_train_cfg=dict(loss=loss))


def test_a_rectifier_is_a_child_of_ours():
    class Unit(nn.Module):
        def __init__(self, num_classes, channels):
            super().__init__()

    MODELS.register_module('_Unit', module=Unit, force=True)
    with pytest.raises(ValueError, match='is a Unit.*subclass of .*Rectif'):
        toy_mutual(1, rectifier=dict(type='_Unit'))


def test_a_rectifier_is_a_dict():
    with pytest.raises(ValueError, match='model.rectifier must be .*got 3'):
        toy_mutual(rectifier=3)


def test_head_without_classifier_needs_no_rectifier():
    with pytest.raises(ValueError, match='_NoClassifier.*rectifier=None'):
        toy_mutual(segmentors=[_no_classifier()])
    model = toy_mutual(segmentors=[_no_classifier()], rectifier=None)
    assert total(model.loss(*toy_batch())).isfinite()


def test_rectifiers_fit_their_classifiers():
    model = toy_mutual(
        segmentors=[toy_segmentor(channels=4), toy_segmentor(channels=6)],
        rectifier=dict(type='PrototypeRectifier', momentum=0.3),
    )
    assert [r.channels for r in model.rectifiers] == [4, 6]
    assert [r.num_classes for r in model.rectifiers] == [3, 3]
    assert all(isinstance(r, PrototypeRectifier) for r in model.rectifiers)
    assert all(r.momentum == 0.3 for r in model.rectifiers)


def test_without_a_rectifier_there_are_none():
    assert len(toy_mutual(2, rectifier=None).rectifiers) == 0


def test_config_is_left_alone_and_may_be_a_config_dict():
    segmentor = ConfigDict(toy_segmentor())
    segmentor.data_preprocessor = dict(type='SegDataPreProcessor')
    cfg = ConfigDict(
        type='MutualSemiSegmentor',
        segmentors=[segmentor, segmentor],
        rectifier=dict(type='PrototypeRectifier'),
        semi_train_cfg=dict(self_weight=0.5),
        test_cfg=dict(predict_on='students.1', score=['teachers.0']),
        data_preprocessor=dict(type='SemiSegDataPreProcessor'),
    )
    before = cfg.to_dict()
    model = MODELS.build(cfg)
    assert isinstance(model, MutualSemiSegmentor)
    assert cfg.to_dict() == before
    assert model.semi_train_cfg.self_weight == 0.5


def test_one_config_serves_as_one_learner():
    model = toy_mutual(segmentors=toy_segmentor())
    assert len(model.students) == len(model.teachers) == 1


@pytest.mark.parametrize('learners', [1, 2, 3, 5])
def test_any_number_of_learners(learners):
    model = toy_mutual(learners)
    assert total(model.loss(*toy_batch())).isfinite()
    assert len(model.rectifiers) == learners


def test_stock_networks_of_two_kinds_learn_together():
    norm = dict(type='BN', requires_grad=True)
    resnet = dict(
        type='EncoderDecoder',
        backbone=dict(
            type='ResNet',
            depth=18,
            stem_channels=4,
            base_channels=4,
            norm_cfg=norm,
        ),
        decode_head=dict(
            type='FCNHead',
            in_channels=32,
            in_index=3,
            channels=8,
            num_convs=1,
            num_classes=3,
            norm_cfg=norm,
            align_corners=True,
        ),
    )
    model = toy_mutual(segmentors=[resnet, toy_segmentor()])
    losses = model.loss(*toy_batch(size=(32, 48)))
    total(losses).backward()
    assert total(losses).isfinite()
    assert model.rectifiers[0].channels == 8
    assert model.align_corners is True
    assert all(
        p.grad is not None and p.grad.isfinite().all()
        for p in model.students.parameters()
    )


def test_channels_last_changes_no_value():
    losses = []
    state = None
    for flag in (False, True):
        model = toy_mutual(
            segmentors=[toy_segmentor(kernel_size=3)] * 2,
            semi_train_cfg=dict(channels_last=flag),
        )
        # Random numbers fill the two layouts in different orders.
        state = state or model.state_dict()
        model.load_state_dict(state)
        losses.append(model.loss(*toy_batch()))
    weight = model.students[0].backbone.first.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    for name in losses[0]:
        torch.testing.assert_close(losses[0][name], losses[1][name])


def test_burn_in_learns_from_labelled_images_alone():
    model = toy_mutual(2)
    model.burning_in = True
    inputs, samples = toy_batch()
    losses = model.loss(dict(labelled=inputs['labelled'], weak=[]), samples)
    assert [name for name in losses if 'loss' in name] == [
        'students.0.decode.loss_ce',
        'students.1.decode.loss_ce',
    ]
    for i, student in enumerate(model.students):
        stock = student.loss(inputs['labelled'], samples['labelled'])
        assert torch.equal(
            losses[f'students.{i}.decode.loss_ce'], stock['decode.loss_ce']
        )


def test_a_learner_of_another_kind():
    """Such as a user's own subclass of BaseSegmentor."""
    with pytest.raises(ValueError, match=r'segmentors\[0\] is a Linear.*Enco'):
        learners.check_learners([torch.nn.Linear(1, 1)])


def test_advice_for_two_classes_that_pseudo_labels_cannot_follow():
    segmentor = toy_segmentor(num_classes=2)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        warnings.filterwarnings('ignore', '``build_loss``')
        assert toy_mutual(segmentors=[segmentor]).num_classes == 2
    segmentor['decode_head']['out_channels'] = 1
    with pytest.raises(ValueError, match='out_channels must equal num_cl'):
        toy_mutual(segmentors=[segmentor])
