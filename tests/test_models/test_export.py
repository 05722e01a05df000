"""A learner's config and state as those of a plain model."""

import copy
import sys
from types import ModuleType

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.models import FCNHead
from mmseg.registry import MODELS

from rml_mmseg.models import MutualSemiSegmentor, PrototypeRectifier
from rml_mmseg.models.export import (
    check_learner,
    export_config,
    learner_state,
)
from rml_mmseg.models.exported_imports import plugin_types


@pytest.fixture
def cfg(tiny_config):
    init_default_scope('mmseg')
    return tiny_config()


def test_the_deployed_learner_is_the_default(cfg):
    assert check_learner(cfg, None) == 'teachers.0'
    cfg.model.test_cfg.predict_on = 'students.1'
    assert check_learner(cfg, None) == 'students.1'
    assert check_learner(cfg, 'teachers.1') == 'teachers.1'


@pytest.mark.parametrize('asked', [True, False])
def test_the_ensemble_is_no_single_network(cfg, asked):
    cfg.model.test_cfg.predict_on = 'ensemble'
    with pytest.raises(ValueError, match='several networks.*students.1'):
        check_learner(cfg, 'ensemble' if asked else None)


def test_unknown_learner(cfg):
    with pytest.raises(ValueError, match="--learner='teachers.2'.*teachers.1"):
        check_learner(cfg, 'teachers.2')


def test_a_plain_model_needs_no_export(cfg):
    cfg.model = cfg.cnn
    with pytest.raises(ValueError, match="model.type.*'EncoderDecoder'"):
        check_learner(cfg, None)


def test_only_what_testing_needs_is_left(cfg):
    plain = export_config(cfg, 'teachers.1').to_dict()
    assert plugin_types(plain) == []
    assert 'custom_imports' not in plain
    gone = {'train_dataloader', 'train_cfg', 'optim_wrapper', 'custom_hooks'}
    assert not gone & set(plain)
    assert plain['model']['type'] == 'EncoderDecoder'
    assert plain['model']['backbone']['type'] == 'VisionTransformer'
    assert plain['model']['test_cfg'] == {'mode': 'whole'}
    assert plain['model']['data_preprocessor'] == {
        'type': 'SegDataPreProcessor',
        'mean': [123.675, 116.28, 103.53],
        'std': [58.395, 57.12, 57.375],
        'bgr_to_rgb': True,
        'size': (32, 48),
    }
    for part in ('val', 'test'):
        assert plain[f'{part}_evaluator'] == {
            'type': 'IoUMetric',
            'iou_metrics': ['mIoU'],
        }
        assert plain[f'{part}_dataloader'] == cfg[f'{part}_dataloader']


def test_the_config_is_left_as_it_was(cfg):
    before = copy.deepcopy(cfg.to_dict())
    export_config(cfg, 'teachers.0')
    assert cfg.to_dict() == before


def test_preprocessor_without_size(cfg):
    del cfg.model.data_preprocessor['size']
    cfg.model.data_preprocessor.non_blocking = True
    found = export_config(cfg, 'students.0').model.data_preprocessor
    assert found.size_divisor == 1
    assert 'non_blocking' not in found
    MODELS.build(found)


def test_sources_of_weights_are_dropped(cfg):
    init = dict(type='Pretrained', checkpoint='optional:a.pth')
    cfg.model.segmentors[0].backbone.init_cfg = init
    assert 'init_cfg' not in export_config(cfg, 'teachers.0').model.backbone


def test_sliding_windows_of_the_wrapper_are_kept(cfg):
    window = dict(mode='slide', crop_size=(32, 32), stride=(16, 16))
    cfg.model.test_cfg.update(window)
    assert export_config(cfg, 'teachers.0').model.test_cfg == window


def test_our_data_sets_become_plain_ones(cfg):
    camvid = dict(
        type='CamVidDataset', data_prefix=dict(img_path='a'), pipeline=[]
    )
    cfg.val_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[camvid, dict(type='Other')]
    )
    datasets = export_config(cfg, 'teachers.0').val_dataloader.dataset.datasets
    first, second = datasets
    assert first.type == 'BaseSegDataset'
    assert (first.img_suffix, first.seg_map_suffix) == ('.jpg', '.png')
    assert first.reduce_zero_label is False
    assert first.metainfo.classes[:2] == ['sky', 'building']
    assert first.metainfo.palette[1] == [128, 0, 0]
    assert first.data_prefix == {'img_path': 'a'}
    assert second == {'type': 'Other'}


def test_unlabelled_data_cannot_be_tested(cfg):
    cfg.val_dataloader.dataset = dict(type='UnlabelledSegDataset', pipeline=[])
    with pytest.raises(ValueError, match='UnlabelledSegDataset.*with masks'):
        export_config(cfg, 'teachers.0')


def test_our_parts_keep_the_import(cfg):
    cfg.model.segmentors[0].decode_head = dict(
        type='mmseg.DeepLabV2Head', in_channels=8, channels=8, num_classes=4
    )
    cfg.custom_imports.imports = ['rml_mmseg', 'own.layers']
    ours = export_config(cfg, 'teachers.0').to_dict()
    assert plugin_types(ours) == ['DeepLabV2Head']
    assert ours['custom_imports']['imports'] == ['rml_mmseg', 'own.layers']
    plain = export_config(cfg, 'teachers.1').to_dict()
    assert plain['custom_imports']['imports'] == ['own.layers']


def test_imports_that_need_our_package(cfg, monkeypatch):
    """A module of the user that cannot be imported without the package."""
    module = ModuleType('own_method')
    module.PrototypeRectifier = PrototypeRectifier
    monkeypatch.setitem(sys.modules, 'own_method', module)
    cfg.custom_imports.imports = ['rml_mmseg', 'own_method', 'own.layers']
    plain = export_config(cfg, 'teachers.0').to_dict()
    assert plain['custom_imports']['imports'] == ['own.layers']

    class OwnHead(FCNHead):
        """Head that is defined in the module."""

    OwnHead.__module__ = 'own_method.heads'
    MODELS.register_module('OwnHead', module=OwnHead, force=True)
    cfg.model.segmentors[0].decode_head.type = 'OwnHead'
    needed = ['rml_mmseg', 'own_method', 'own.layers']
    plain = export_config(cfg, 'teachers.0').to_dict()
    assert plain['custom_imports']['imports'] == needed


def test_a_child_of_the_wrapper_is_exported(cfg):
    class Child(MutualSemiSegmentor):
        """A user's subclass."""

    MODELS.register_module('ExportedChild', module=Child, force=True)
    cfg.model.type = 'ExportedChild'
    assert check_learner(cfg, None) == 'teachers.0'


def test_models_of_mmpretrain_are_imported(cfg):
    cfg.model.segmentors[0].backbone.type = 'mmpretrain.ResNet'
    plain = export_config(cfg, 'teachers.0')
    assert plain.custom_imports.imports == ['mmpretrain.models']


def test_state_of_one_learner():
    state = {
        f'{group}.{i}.backbone.w': torch.full((2,), 10.0 * i + len(group))
        for group in ('students', 'teachers')
        for i in (1, 11)
    }
    state['teachers.1.head.b'] = torch.zeros(1)
    found = learner_state(state, 'teachers.1')
    assert set(found) == {'backbone.w', 'head.b'}
    assert found['backbone.w'].tolist() == [18.0, 18.0]
    found['backbone.w'].zero_()
    assert state['teachers.1.backbone.w'].tolist() == [18.0, 18.0]


def test_state_of_a_wrapped_model():
    state = {'module.students.0.w': torch.ones(1)}
    assert set(learner_state(state, 'students.0')) == {'w'}


def test_state_without_the_learner():
    with pytest.raises(ValueError, match="no 'teachers.0'.*'backbone.conv1'"):
        learner_state({'backbone.conv1.weight': torch.ones(1)}, 'teachers.0')


def test_plugin_types_looks_everywhere():
    node = [Config(dict(a=dict(type='CutMix', b=[dict(type='X')])))._cfg_dict]
    assert plugin_types(node) == ['CutMix']
