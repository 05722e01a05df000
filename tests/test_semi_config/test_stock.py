import pytest
from mmengine.config import Config

from rml_mmseg.semi_config.stock import (
    check_stock,
    load_stock,
    normalisation,
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
    with pytest.raises(FileNotFoundError, match=f"near names.*'{PSPNET}.py"):
        load_stock('pspnet_r50_4xb2-40k_cityscapes')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2)),
            'trains by epochs',
        ),
        (dict(train_cfg=dict(by_epoch=True, max_epochs=2)), 'by epochs'),
        (dict(train_cfg=dict(type='IterBasedTrainLoop')), 'no max_iters'),
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
