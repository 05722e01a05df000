"""Graphs that ONNX Runtime runs, against PyTorch."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmseg.apis import inference_model, init_model
from mmseg.registry import MODELS

from rml_mmseg.models.deployment import DeployedSegmentor
from rml_mmseg.models.export import export_config, learner_state
from tests.toys import toy_segmentor
from tools.model_converters import export_onnx


def plain_model(folder, cfg, learner):
    """The learner as stock mmseg loads it."""
    plain = export_config(cfg, learner)
    loaded = torch.load(folder / 'iter_7.pth', weights_only=True)
    loaded['state_dict'] = learner_state(loaded['state_dict'], learner)
    torch.save(loaded, folder / 'plain.pth')
    return init_model(plain, str(folder / 'plain.pth'), device='cpu')


def assert_deployed(cfg):
    """Check that the deployed model gives the logits of a test in mmseg."""
    model = MODELS.build(cfg).eval()
    image = torch.randint(0, 256, (3, 6, 8), dtype=torch.uint8)
    with torch.no_grad():
        found = DeployedSegmentor(model)(image[None].float())[0]
        (stock,) = model.test_step(dict(inputs=[image]))
    torch.testing.assert_close(found, stock.seg_logits.data)


def test_images_become_what_mmseg_predicts(tiny_config):
    cfg = ConfigDict(toy_segmentor(), test_cfg=dict(mode='whole'))
    cfg['data_preprocessor'] = dict(
        type='SegDataPreProcessor',
        mean=[10.0, 20.0, 30.0],
        std=[2.0, 3.0, 4.0],
        bgr_to_rgb=True,
    )
    assert_deployed(cfg)


def test_of_several_outputs_the_first_is_deployed():
    cfg = ConfigDict(toy_segmentor(), test_cfg=dict(mode='whole'))
    cfg.decode_head.update(type='DAHead', pam_channels=2)
    cfg.decode_head.norm_cfg = dict(type='BN')
    for key in ('num_convs', 'concat_input'):
        cfg.decode_head.pop(key)
    cfg['data_preprocessor'] = dict(type='SegDataPreProcessor')
    assert_deployed(cfg)


@pytest.mark.parametrize('learner', ['students.0', 'teachers.1'])
def test_graph_of_a_learner(trained, tiny_config, call, capsys, learner):
    onnxruntime = pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    out = trained / 'new' / 'model.onnx'
    call(
        export_onnx,
        *(trained / 'tiny.py', trained / 'iter_7.pth'),
        *('--learner', learner, '--out', out),
    )
    told = capsys.readouterr().out
    assert f'{learner}, images (1, 3, 32, 48)' in told
    assert 'Height and width 32 48: the training size' in told
    assert 'Largest difference from the logits of PyTorch' in told
    assert [path.name for path in out.parent.iterdir()] == ['model.onnx']

    session = onnxruntime.InferenceSession(out)
    meta = session.get_modelmeta().custom_metadata_map
    assert meta['learner'] == learner
    assert json.loads(meta['classes']) == ['a', 'b', 'c', 'd']
    image = cv2.imread(str(next((trained / 'data').rglob('*.png'))))
    image = cv2.resize(image, (48, 32))
    images = image.transpose(2, 0, 1)[None].astype(np.float32)
    (logits,) = session.run(None, {'images': images})
    model = plain_model(trained, tiny_config(), learner)
    # Without the resizing of the pipeline: the image has its size.
    model.cfg.test_pipeline = [
        dict(type='LoadImageFromNDArray'),
        dict(type='PackSegInputs'),
    ]
    expected = inference_model(model, image).seg_logits.data.numpy()
    np.testing.assert_allclose(logits[0], expected, atol=1e-3)


@pytest.mark.parametrize('keep_ratio', [False, True])
def test_default_size_is_that_of_a_test(trained, call, capsys, keep_ratio):
    """It is not the size of training crops, 32 x 48."""
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    cfg = Config.fromfile(trained / 'tiny.py')
    resize = dict(type='Resize', scale=(64, 24), keep_ratio=keep_ratio)
    cfg.test_dataloader.dataset.pipeline.insert(1, resize)
    cfg.dump(trained / 'tiny.py')
    call(
        export_onnx,
        *(trained / 'tiny.py', trained / 'iter_7.pth'),
        *('--out', trained / 'model.onnx'),
    )
    told = capsys.readouterr().out
    # Images of 48 x 64 shrink by a half where they keep their aspect.
    width = 32 if keep_ratio else 64
    assert f'teachers.0, images (1, 3, 24, {width})' in told
    assert f'Height and width 24 {width}: ' in told
    assert 'Resize(scale=(64, 24)) of test_dataloader' in told


def test_other_predictions_are_refused(trained, call, monkeypatch):
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')

    def damage(network, images, path, origin):
        original(network, images, path, origin)
        network.segmentor.decode_head.conv_seg.bias.data += 1

    original = export_onnx.write_graph
    monkeypatch.setattr(export_onnx, 'write_graph', damage)
    out = trained / 'new' / 'model.onnx'
    with pytest.raises(SystemExit, match=r'differ by 1\.0e\+00'):
        call(
            export_onnx,
            *(trained / 'tiny.py', trained / 'iter_7.pth', '--out', out),
        )
    assert list(out.parent.iterdir()) == []


def test_learner_of_a_class(trained):
    text = (trained / 'tiny.py').read_text()
    named = "type='MutualSemiSegmentor'"
    assert text.count(named) == 1
    (trained / 'lazy.py').write_text(
        'from rml_mmseg.models import MutualSemiSegmentor\n'
        + text.replace(named, 'type=MutualSemiSegmentor')
    )
    found = [
        export_onnx.load_network(
            export_onnx.parse_args(
                [
                    *(str(trained / name), str(trained / 'iter_7.pth')),
                    *('--out', 'model.onnx'),
                ]
            )
        )
        for name in ('tiny.py', 'lazy.py')
    ]
    (network, _, origin), (lazy_network, _, lazy_origin) = found
    assert lazy_origin == origin
    assert origin['learner'] == 'teachers.0'
    for key, value in network.state_dict().items():
        assert torch.equal(lazy_network.state_dict()[key], value), key


def test_missing_packages_are_named(trained, call, monkeypatch):
    monkeypatch.setattr(export_onnx, 'NEEDED', ('onnx_that_is_not_there',))
    with pytest.raises(SystemExit, match=r'onnx_that_is.*rml_mmseg\[onnx\]'):
        call(
            export_onnx,
            *(trained / 'tiny.py', trained / 'iter_7.pth'),
            *('--out', trained / 'model.onnx'),
        )


def test_wrong_config_and_learner(trained, call, monkeypatch):
    monkeypatch.setattr(export_onnx, 'NEEDED', ())
    arguments = (trained / 'tiny.py', trained / 'iter_7.pth')
    out = ('--out', trained / 'model.onnx')
    with pytest.raises(SystemExit, match=r"students\.5' is unknown"):
        call(export_onnx, *arguments, '--learner', 'students.5', *out)
    for option in (('--batch', '0'), ('--shape', '0', '8')):
        with pytest.raises(SystemExit, match=f'{option[0]} must be a whole'):
            call(export_onnx, *arguments, *option, *out)
    options = ('model.segmentors.0.decode_head.channels=6',)
    with pytest.raises(SystemExit, match='does not fit the config'):
        call(export_onnx, *arguments, *out, '--cfg-options', *options)
    assert not (trained / 'model.onnx').exists()
