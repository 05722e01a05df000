"""The command that exports a learner, from its options to its files."""

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from tests.versions import needs_many_channels
from tools.model_converters import export_segmentor


def files(folder):
    """Names of all files below a folder that are not data."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob('*')
        if 'data' not in path.parts
    )


def refused(call, folder, *options):
    """What the tool says when it fails, and leaves nothing behind."""
    before = files(folder)
    with pytest.raises(SystemExit) as caught:
        call(
            export_segmentor,
            *(folder / 'tiny.py', folder / 'iter_7.pth'),
            *('--out', folder / 'new' / 'out', *options),
        )
    assert files(folder) == before
    assert caught.value.code not in (0, None)
    return str(caught.value.code)


def test_files_and_their_provenance(trained, call, capsys):
    out = trained / 'out'
    call(
        export_segmentor,
        *(trained / 'tiny.py', trained / 'iter_7.pth'),
        *('--learner', 'students.1', '--out', out),
    )
    told = capsys.readouterr().out
    assert 'cannot import rml_mmseg' in told
    assert 'Equal predictions on a random and a validation image' in told
    assert files(out) == ['tiny_students_1.pth', 'tiny_students_1.py']

    exported = torch.load(out / 'tiny_students_1.pth', weights_only=True)
    inside = torch.load(trained / 'iter_7.pth', weights_only=True)
    for key, value in exported['state_dict'].items():
        assert value.equal(inside['state_dict'][f'students.1.{key}'])
    meta = exported['meta']
    assert meta['dataset_meta'] == {'classes': ['a', 'b', 'c', 'd']}
    origin = meta['provenance']
    assert len(origin.pop('checkpoint_sha256')) == 64
    assert origin.pop('rml_mmseg')
    assert origin == {
        'config': 'tiny.py',
        'checkpoint': 'iter_7.pth',
        'learner': 'students.1',
        'iteration': 7,
        'seed': 3,
    }
    text = (out / 'tiny_students_1.py').read_text()
    assert 'rml_mmseg' not in text
    model = MODELS.build(Config.fromfile(out / 'tiny_students_1.py').model)
    model.load_state_dict(exported['state_dict'], strict=True)


def test_a_learner_of_our_classes_says_so(trained, call, capsys):
    cfg = Config.fromfile(trained / 'tiny.py')
    head = dict(
        type='DeepLabV2Head',
        in_channels=8,
        channels=8,
        in_index=1,
        num_classes=4,
    )
    cfg.model.segmentors[0].decode_head = head
    cfg.model.pop('rectifier')
    # Nowhere: predictions are compared on the random image alone.
    cfg.merge_from_dict(
        {
            'val_dataloader.dataset.data_root': 'gone',
            'test_dataloader.dataset.data_root': 'gone',
        }
    )
    cfg.dump(trained / 'tiny.py')
    state = dict(state_dict=MODELS.build(cfg.model).state_dict())
    torch.save(state, trained / 'iter_7.pth')
    out = trained / 'out'
    call(
        export_segmentor,
        *(trained / 'tiny.py', trained / 'iter_7.pth', '--out', out),
    )
    told = capsys.readouterr().out
    assert 'needs rml_mmseg for DeepLabV2Head' in told
    assert 'cannot import rml_mmseg' not in told
    assert 'The data of the config is missing' in told
    assert 'Equal predictions on a random image,' in told
    plain = Config.fromfile(out / 'tiny_teachers_0.py')
    assert plain.custom_imports.imports == ['rml_mmseg']


def test_ensemble_is_refused(trained, call):
    message = refused(call, trained, '--learner', 'ensemble')
    assert "choose --learner from ['students.0', 'students.1'" in message


def test_checkpoint_of_another_network(trained, call):
    message = refused(
        call,
        trained,
        *('--cfg-options', 'model.segmentors.0.decode_head.channels=6'),
        *('model.segmentors.0.decode_head.num_convs=2',),
    )
    assert 'checkpoint does not fit the config' in message
    assert 'teachers.0.decode_head.conv_seg.weight' in message


def test_checkpoint_that_lacks_a_tensor(trained, call):
    state = torch.load(trained / 'iter_7.pth', weights_only=True)
    del state['state_dict']['teachers.0.backbone.conv1.weight']
    torch.save(state, trained / 'iter_7.pth')
    message = refused(call, trained)
    assert "such as 'teachers.0.backbone.conv1.weight'" in message


def test_missing_checkpoint(trained, call):
    (trained / 'iter_7.pth').unlink()
    assert 'iter_7.pth' in refused(call, trained)


@pytest.mark.parametrize('content', [b'', b'hi', None])
def test_a_damaged_checkpoint_is_named(trained, call, content):
    path = trained / 'iter_7.pth'
    path.write_bytes(path.read_bytes()[:900] if content is None else content)
    message = refused(call, trained)
    assert f"the weights '{path}' cannot be read" in message


def test_other_predictions_are_an_error(trained, call, monkeypatch):
    def damage(state_dict, learner):
        state = original(state_dict, learner)
        state['decode_head.conv_seg.weight'] += 1
        return state

    original = export_segmentor.learner_state
    monkeypatch.setattr(export_segmentor, 'learner_state', damage)
    message = refused(call, trained)
    assert 'on a random image' in message


def test_a_model_that_needs_the_package_is_an_error(
    trained, call, monkeypatch
):
    def forget(cfg, learner):
        plain = original(cfg, learner)
        plain.model.decode_head.type = 'DeepLabV2Head'
        return plain

    original = export_segmentor.export_config
    monkeypatch.setattr(export_segmentor, 'export_config', forget)
    message = refused(call, trained)
    assert 'does not load and run without this package' in message
    assert 'DeepLabV2Head is not in the mmseg::model registry' in message


@needs_many_channels
def test_images_of_other_channels_that_a_test_pads(trained, call, capsys):
    cfg = Config.fromfile(trained / 'tiny.py')
    cfg.merge_from_dict(
        {
            'model.data_preprocessor.mean': [0.0] * 5,
            'model.data_preprocessor.std': [255.0] * 5,
            'model.data_preprocessor.bgr_to_rgb': False,
            'model.data_preprocessor.test_cfg': dict(size_divisor=40),
            'model.segmentors.0.backbone.in_channels': 5,
            'val_dataloader.dataset.data_root': 'gone',
            'test_dataloader.dataset.data_root': 'gone',
        }
    )
    cfg.model.segmentors = [cfg.model.segmentors[0]]
    cfg.model.test_cfg.score = []
    cfg.dump(trained / 'tiny.py')
    state = dict(state_dict=MODELS.build(cfg.model).state_dict())
    torch.save(state, trained / 'iter_7.pth')
    call(
        export_segmentor,
        *(trained / 'tiny.py', trained / 'iter_7.pth'),
        *('--out', trained / 'out'),
    )
    assert 'Equal predictions on a random image,' in capsys.readouterr().out
