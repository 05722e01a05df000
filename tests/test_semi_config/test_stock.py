import pytest
from mmengine.config import Config

from rml_mmseg.semi_config.stock import (
    check_stock,
    classes_of,
    load_stock,
    missing_packages,
    normalisation,
    set_classes,
    stock_folder,
    training_length,
)

PSPNET = 'pspnet_r50-d8_4xb2-40k_cityscapes-512x1024'


def stock(**changes):
    settings = dict(
        model=dict(type='EncoderDecoder', decode_head=dict(num_classes=2)),
        train_dataloader=dict(batch_size=1),
        optim_wrapper=dict(type='OptimWrapper'),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=4),
        param_scheduler=[dict(type='PolyLR', by_epoch=False)],
    )
    return Config(dict(settings, **changes))


@pytest.mark.parametrize('name', [PSPNET, f'pspnet/{PSPNET}.py'])
def test_shipped_config_by_name(name):
    cfg = load_stock(name)
    assert cfg.model.decode_head.type == 'PSPHead'
    assert normalisation(cfg)['std'] == [58.395, 57.12, 57.375]


def test_near_names():
    for name, near in (
        ('pspnet_r50_4xb2-40k_cityscapes', PSPNET),
        ('segformer_mit-b0', 'segformer_mit-b0_8xb2-160k_ade20k-512x512'),
        ('fcn_unet_s5-d16', 'unet-s5-d16_fcn_4xb4-40k_'),
    ):
        with pytest.raises(FileNotFoundError, match=f"Similar names.*'{near}"):
            load_stock(name)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2)),
            'trains by epochs',
        ),
        (dict(train_cfg=dict(by_epoch=True, max_epochs=2)), 'by epochs'),
        (
            dict(train_cfg=dict(type='IterBasedTrainLoop')),
            'neither max_iters',
        ),
        (dict(param_scheduler=[dict(type='PolyLR')]), 'by_epoch=False'),
        (dict(model=dict(type='Mutual', segmentors=[])), "type='Mutual'"),
        (dict(optim_wrapper=None), "no 'optim_wrapper'"),
    ],
)
def test_config_that_cannot_be_wrapped(changes, message):
    check_stock(stock(), 'mine.py')
    with pytest.raises(ValueError, match=message) as caught:
        check_stock(stock(**changes), 'mine.py')
    assert 'mine.py' in str(caught.value)


def test_a_baseline_of_stages():
    loop = dict(type='StagedTrainLoop', iters_per_stage=7)
    cfg = stock(train_cfg=loop)
    check_stock(cfg, 'mine.py')
    assert (training_length(cfg), training_length(stock())) == (7, 4)


def numbers_of(node, key):
    """Values of a key anywhere in a part of a config."""
    if isinstance(node, dict):
        own = [node[key]] if key in node else []
        return own + [n for v in node.values() for n in numbers_of(v, key)]
    if isinstance(node, (list, tuple)):
        return [number for item in node for number in numbers_of(item, key)]
    return []


@pytest.mark.parametrize(
    ('name', 'before', 'after', 'edges'),
    [
        (PSPNET, 19, {4}, 0),
        ('ocrnet_hr18_4xb2-40k_cityscapes-512x1024', 19, {4}, 0),
        # Heads within a head.
        ('knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512', 150, {4}, 0),
        # A head of edges beside.
        ('stdc1_4xb12-80k_cityscapes-512x1024', 19, {4, 2}, 1),
    ],
)
def test_classes_are_changed_in_every_head(name, before, after, edges):
    model = load_stock(name).model
    assert classes_of(model) == before
    assert set_classes(model, 4)[0] == (
        f'heads predict 4 classes instead of {before}'
    )
    found = numbers_of(model, 'num_classes')
    assert set(found) == after
    assert found.count(2) == edges
    assert classes_of(model) == 4
    assert set_classes(model, 4) == []


def test_weights_of_classes_that_are_no_more_go():
    model = load_stock(
        'ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024'
    ).model
    assert {len(w) for w in numbers_of(model, 'class_weight')} == {19}
    notes = set_classes(model, 4)
    assert notes[1:] == ['class_weight of 19 classes is left out']
    assert numbers_of(model, 'class_weight') == []


def test_weights_of_masks_keep_that_of_no_class():
    name = 'mask2former/mask2former_r50_8xb2-90k_cityscapes-512x1024.py'
    path = stock_folder() / name
    model = Config.fromfile(path, import_custom_modules=False).model
    assert len(set_classes(model, 4)) == 1
    assert numbers_of(model, 'class_weight') == [[1.0] * 4 + [0.1]]


def test_parts_of_packages_that_are_not_there():
    head = dict(type='mmdot.Head', num_classes=2, loss=dict(type='mmseg.Loss'))
    assert missing_packages(dict(type='A', decode_head=head)) == {'mmdot'}
    with pytest.raises(ValueError, match='the model uses mmdot, which'):
        check_stock(stock(model=dict(decode_head=head)), 'mine.py')


def test_imports_that_are_not_there(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("custom_imports = dict(imports=['no_such_package'])")
    with pytest.raises(ValueError, match='imports a module .*no_such_package'):
        load_stock(str(path))
