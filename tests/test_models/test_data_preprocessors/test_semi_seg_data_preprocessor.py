import copy
import pickle

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from rml_mmseg.datasets.one_buffer_dict import OneBufferDict
from rml_mmseg.models import SemiSegDataPreProcessor
from rml_mmseg.models.data_preprocessors.one_copy import OneCopy
from tests.versions import needs_many_channels


def _image(value, size=(2, 3)):
    return torch.full((3, *size), value, dtype=torch.uint8)


def _labelled(value, size=(2, 3)):
    mask = torch.ones(1, *size, dtype=torch.long)
    sample = SegDataSample(gt_sem_seg=PixelData(data=mask))
    return dict(inputs=_image(value, size), data_samples=sample)


def _unlabelled(value, size=(2, 3), strong=2, mask=None, **drawn):
    sample = SegDataSample()
    if mask is not None:
        sample.gt_sem_seg = PixelData(data=mask)
    inputs = dict(
        weak=_image(value, size),
        strong=[_image(value + 1 + s, size) for s in range(strong)],
        valid=torch.ones(1, *size, dtype=torch.uint8),
        **drawn,
    )
    return dict(inputs=inputs, data_samples=sample)


def _process(items, **kwargs):
    preprocessor = SemiSegDataPreProcessor(**kwargs)
    return preprocessor(pseudo_collate(items), training=True)


@pytest.mark.parametrize('strong', [1, 2, 3])
@pytest.mark.parametrize('k', [1, 2])
def test_every_view_keeps_its_image(k, strong):
    items = [
        dict(
            labelled=_labelled(n),
            unlabelled=[
                _unlabelled(100 * j + 10 * n, strong=strong) for j in range(k)
            ],
        )
        for n in range(3)
    ]
    inputs = _process(items)['inputs']
    weak = inputs['weak'][:, 0, 0, 0].tolist()
    assert sorted(weak) == sorted(
        100 * j + 10 * n for j in range(k) for n in range(3)
    )
    assert inputs['strong'].shape == (strong, 3 * k, 3, 2, 3)
    for s in range(strong):
        view = inputs['strong'][s]
        assert view[:, 0, 0, 0].tolist() == [w + 1 + s for w in weak]
        assert (view == view[:, :1, :1, :1]).all()
    assert inputs['labelled'][:, 0, 0, 0].tolist() == [0, 1, 2]
    assert inputs['valid'].all()
    assert inputs['valid'].dtype == torch.bool


def test_all_views_are_normalised_alike():
    image = torch.tensor([10, 20, 30], dtype=torch.uint8).view(3, 1, 1)
    unlabelled = _unlabelled(0, (1, 1))
    unlabelled['inputs'].update(weak=image, strong=[image, image])
    labelled = _labelled(0, (1, 1))
    labelled['inputs'] = image
    inputs = _process(
        [dict(labelled=labelled, unlabelled=[unlabelled])],
        mean=[1.0, 2.0, 3.0],
        std=[1.0, 2.0, 4.0],
        bgr_to_rgb=True,
    )['inputs']
    expected = [29.0, 9.0, 1.75]
    for view in (
        inputs['labelled'],
        inputs['weak'],
        inputs['strong'][0],
        inputs['strong'][1],
    ):
        assert view.flatten().tolist() == expected


def test_padding_is_marked_invalid_everywhere():
    drawn = dict(mix_mask=torch.ones(2, 3, dtype=torch.bool))
    wide = dict(mix_mask=torch.ones(3, 2, dtype=torch.bool))
    mask = torch.tensor([[[0, 1, 255], [2, 2, 2]]])
    items = [
        dict(
            labelled=_labelled(5),
            unlabelled=[_unlabelled(7, (2, 3), mask=mask, **drawn)],
        ),
        dict(
            labelled=_labelled(6), unlabelled=[_unlabelled(8, (3, 2), **wide)]
        ),
    ]
    output = _process(items, size=(4, 4), pad_val=0)
    inputs, samples = output['inputs'], output['data_samples']
    expected = torch.zeros(2, 4, 4, dtype=torch.bool)
    expected[0, :2, :3] = True
    expected[1, :3, :2] = True
    assert torch.equal(inputs['valid'], expected)
    assert torch.equal(inputs['mix_masks'], expected)
    assert torch.equal(inputs['weak'][:, 0] > 0, expected)
    assert torch.equal(inputs['strong'][1][:, 0] > 0, expected)
    padded = samples['unlabelled'][0].gt_sem_seg.data
    assert padded.shape == (1, 4, 4)
    assert torch.equal(padded[:, :2, :3], mask)
    assert (padded[0][~expected[0]] == 255).all()
    assert 'gt_sem_seg' not in samples['unlabelled'][1]
    truth = samples['labelled'][0].gt_sem_seg.data[0]
    assert (truth[:2, :3] == 1).all()
    assert (truth == 255).sum() == 10


def test_several_masks_an_image_are_padded_and_stacked():
    masks = torch.ones(2, 2, 3, dtype=torch.bool)
    boxes = torch.arange(8).view(2, 4)
    item = dict(
        labelled=_labelled(5),
        unlabelled=[_unlabelled(7, (2, 3), mix_mask=masks, mix_box=boxes)],
    )
    inputs = _process([item], size=(4, 4))['inputs']
    assert inputs['mix_masks'].shape == (1, 2, 4, 4)
    assert inputs['mix_masks'][0, 1].sum() == 6
    assert torch.equal(inputs['mix_boxes'], boxes[None])


def test_padding_of_the_pipeline_stays_invalid():
    item = _unlabelled(3)
    item['inputs']['valid'][0, :, 2] = 0
    inputs = _process([dict(labelled=_labelled(0), unlabelled=[item])])[
        'inputs'
    ]
    assert inputs['valid'].tolist() == [[[True, True, False]] * 2]


@pytest.mark.parametrize(
    'settings', [{}, dict(size=None), dict(size=None, size_divisor=None)]
)
def test_without_a_size_views_are_padded_to_the_largest(settings):
    items = [
        dict(labelled=_labelled(1), unlabelled=[_unlabelled(1, (2, 5))]),
        dict(labelled=_labelled(1), unlabelled=[_unlabelled(1, (4, 3))]),
    ]
    inputs = _process(items, **settings)['inputs']
    assert inputs['weak'].shape == (2, 3, 4, 5)
    assert inputs['labelled'].shape == (2, 3, 2, 3)


def test_boxes_and_class_orders_are_stacked():
    items = [
        dict(
            labelled=_labelled(0),
            unlabelled=[
                _unlabelled(
                    0,
                    mix_box=torch.tensor([0, 1, 2, n]),
                    mix_classes=torch.full((256,), float(n)),
                )
            ],
        )
        for n in range(2)
    ]
    inputs = _process(items)['inputs']
    assert inputs['mix_boxes'].tolist() == [[0, 1, 2, 0], [0, 1, 2, 1]]
    assert inputs['mix_classes'].shape == (2, 256)
    assert inputs['mix_classes'][1].eq(1).all()


def test_soft_labels_are_kept_by_teacher_and_image():
    def item(n, size):
        soft = [torch.full((3, 1, 1), 10.0 * n + t) for t in range(2)]
        places = torch.full((*size, 2), float(n))
        return _unlabelled(0, size, soft_labels=soft, places=places)

    items = [
        dict(labelled=_labelled(0), unlabelled=[item(n, (2, 3 + n))])
        for n in range(3)
    ]
    inputs = _process(items)['inputs']
    values = [[int(s[0, 0, 0]) for s in own] for own in inputs['soft_labels']]
    assert values == [[0, 10, 20], [1, 11, 21]]
    for n, places in enumerate(inputs['places']):
        assert places.shape == (2, 2, 5)
        assert (places[:, :, : 3 + n] == n).all()
        assert (places[:, :, 3 + n :] == 0.5).all()


@pytest.mark.parametrize('training', [True, False])
def test_plain_batch_is_treated_as_by_mmseg(training):
    settings = dict(mean=[1.0] * 3, std=[2.0] * 3, size=(4, 4))
    ours = SemiSegDataPreProcessor(**settings)
    stock = MODELS.build(dict(type='SegDataPreProcessor', **settings))
    a = ours(pseudo_collate([_labelled(9)]), training)
    b = stock(pseudo_collate([_labelled(9)]), training)
    assert torch.equal(a['inputs'], b['inputs'])
    assert torch.equal(
        a['data_samples'][0].gt_sem_seg.data,
        b['data_samples'][0].gt_sem_seg.data,
    )


def test_holds_nothing_that_a_checkpoint_would_keep():
    built = MODELS.build(
        dict(type='SemiSegDataPreProcessor', mean=[0.0] * 3, std=[1.0] * 3)
    )
    assert built.state_dict() == {}


def test_places_stay_x_and_y():
    places = torch.rand(2, 3, 2)
    inputs = dict(
        weak=_image(0),
        strong=[_image(1)],
        valid=torch.ones(1, 2, 3, dtype=torch.uint8),
        soft_labels=[torch.zeros(3, 1, 1)],
        places=places,
    )
    item = dict(inputs=inputs, data_samples=SegDataSample())
    batch = pseudo_collate([dict(labelled=_labelled(0), unlabelled=[item])])
    found = SemiSegDataPreProcessor()(batch, training=True)['inputs']
    (made,) = found['places']
    assert torch.equal(made[0], places[..., 0])
    assert torch.equal(made[1], places[..., 1])


@pytest.mark.parametrize('size', [dict(size=(7, 9)), dict(size_divisor=4)])
@pytest.mark.parametrize('sizes', [[(5, 6)] * 3, [(5, 6), (3, 6), (5, 4)]])
def test_images_are_those_of_the_stock_preprocessor(size, sizes):
    torch.manual_seed(0)
    settings = dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        seg_pad_val=255,
        **size,
    )
    items = [_labelled(0, size) for size in sizes]
    for item in items:
        item['inputs'] = torch.randint_like(item['inputs'], 255)
    ours = [
        dict(labelled=item, unlabelled=[_unlabelled(0, (5, 6))])
        for item in copy.deepcopy(items)
    ]
    found = _process(ours, **settings)
    stock = MODELS.build(dict(type='SegDataPreProcessor', **settings))
    expected = stock(pseudo_collate(items), training=True)
    assert torch.equal(found['inputs']['labelled'], expected['inputs'])
    for ours_, stocks in zip(
        found['data_samples']['labelled'], expected['data_samples']
    ):
        assert torch.equal(ours_.gt_sem_seg.data, stocks.gt_sem_seg.data)
        assert ours_.metainfo == stocks.metainfo


copies_at_once = pytest.mark.skipif(
    not hasattr(torch.Tensor, 'untyped_storage'),
    reason='before PyTorch 2.0 tensors are copied one by one',
)


class TestOneCopy:
    @copies_at_once
    def test_what_shares_a_memory_shares_one_there(self):
        memory = torch.arange(96, dtype=torch.uint8)
        image = memory[:24].view(2, 3, 4)
        mask = memory[32:64].view(torch.int64).view(1, 2, 2)
        sample = SegDataSample(gt_sem_seg=PixelData(data=mask))
        sample.set_metainfo(dict(img_path='a'))
        batch = dict(
            inputs=(image, torch.ones(3)), data_samples=[sample], n='b'
        )
        there = OneCopy(torch.device('meta'))(batch)
        assert there['n'] == 'b' and there['data_samples'][0].img_path == 'a'
        first, alone = there['inputs']
        moved = there['data_samples'][0].gt_sem_seg.data
        for tensor, like in ((first, image), (moved, mask)):
            assert tensor.device.type == 'meta'
            assert tensor.shape == like.shape and tensor.dtype == like.dtype
            assert tensor.storage_offset() == like.storage_offset()
            # A part of the common memory, not a copy.
            assert tensor.untyped_storage().nbytes() == 96
        assert alone.untyped_storage().nbytes() == 12

    def test_on_its_device_nothing_is_copied(self):
        image = torch.ones(3)
        sample = SegDataSample(gt_sem_seg=PixelData(data=image.view(1, 1, 3)))
        there = OneCopy(torch.device('cpu'))([image, sample, None])
        assert there[0] is image and there[2] is None
        # A new sample, as its mask will be padded.
        assert there[1] is not sample
        moved = there[1].gt_sem_seg.data
        assert moved.data_ptr() == image.data_ptr()

    @copies_at_once
    def test_a_part_of_much_is_copied_alone(self):
        memory = torch.zeros(1000, dtype=torch.uint8)
        few, many = memory[:100], memory[:600]
        for part, size in ((few, 100), (many, 1000)):
            (there,) = OneCopy(torch.device('meta'))([part])
            assert there.untyped_storage().nbytes() == size

    def test_what_else_can_move_moves_too(self):
        class Boxes:
            def to(self, device, non_blocking):
                return f'on {device}'

        sample = SegDataSample()
        sample.set_data(dict(boxes=Boxes()))
        (there,) = OneCopy(torch.device('meta'))([sample])
        assert there.boxes == 'on meta'


def test_a_batch_is_left_as_it_is():
    item = dict(labelled=_labelled(0, (5, 6)), unlabelled=[_unlabelled(0)])
    batch = pseudo_collate([item])
    preprocessor = SemiSegDataPreProcessor(size=(8, 8))
    first, second = (preprocessor(batch, True) for _ in range(2))
    for result in (first, second):
        (sample,) = result['data_samples']['labelled']
        assert sample.gt_sem_seg.data.shape == (1, 8, 8)
    (own,) = batch['labelled']['data_samples']
    assert own.gt_sem_seg.data.shape == (1, 5, 6)


def test_images_that_are_stacked_and_more_keys():
    items = [
        dict(labelled=_labelled(n), unlabelled=[_unlabelled(n)])
        for n in range(2)
    ]
    batch = pseudo_collate(items)
    expected = SemiSegDataPreProcessor()(copy.deepcopy(batch), True)
    batch['labelled']['inputs'] = torch.stack(batch['labelled']['inputs'])
    batch['labelled']['name'] = ['a', 'b']
    found = SemiSegDataPreProcessor()(batch, True)
    for key, value in expected['inputs'].items():
        assert torch.equal(found['inputs'][key], value)


@needs_many_channels
def test_four_channels_keep_their_order():
    settings = dict(mean=[1.0] * 4, std=[2.0] * 4, bgr_to_rgb=True)
    item = dict(labelled=_labelled(0), unlabelled=[_unlabelled(0)])
    for images in (item['labelled'], item['unlabelled'][0]['inputs']):
        for key in {'inputs', 'weak', 'strong'} & images.keys():
            image = torch.arange(24, dtype=torch.uint8).view(4, 2, 3)
            images[key] = [image] * 2 if key == 'strong' else image
    found = _process([item], **settings)['inputs']['labelled']
    assert torch.equal(found[0], (image.float() - 1) / 2)


@pytest.mark.parametrize('valid_shape', [(1, 2, 3), (2, 3)])
def test_views_of_their_size_are_as_if_padded_by_nothing(
    valid_shape, monkeypatch
):
    items = []
    for n in range(2):
        unlabelled = _unlabelled(9 * n)
        valid = torch.tensor([[1, 0, 1], [255, 1, n]], dtype=torch.uint8)
        unlabelled['inputs']['valid'] = valid.view(valid_shape)
        items.append(dict(labelled=_labelled(n), unlabelled=[unlabelled]))
    settings = dict(mean=[1.0, 2.0, 3.0], std=[1.0, 2.0, 4.0], size=(2, 3))
    found = _process(items, **settings)['inputs']
    monkeypatch.setattr(SemiSegDataPreProcessor, '_is_padded', lambda *_: True)
    expected = _process(items, **settings)['inputs']
    for key in ('weak', 'strong', 'valid', 'labelled'):
        assert found[key].dtype == expected[key].dtype
        assert torch.equal(found[key], expected[key])
    assert found['valid'][1].tolist() == [
        [True, False, True],
        [False, True, True],
    ]


def test_what_samples_say_is_left_as_it_is():
    labelled = _labelled(1)
    labelled['data_samples'].set_metainfo(dict(img_path='a.png'))
    batch = pseudo_collate(
        [dict(labelled=labelled, unlabelled=[_unlabelled(2)])]
    )
    outputs = SemiSegDataPreProcessor(size=(4, 4))(batch, training=True)
    (given,) = batch['labelled']['data_samples']
    assert given.metainfo == dict(img_path='a.png')
    assert given.gt_sem_seg.shape == (2, 3)
    (made,) = outputs['data_samples']['labelled']
    assert made.img_path == 'a.png'
    assert made.pad_shape == (4, 4)
    assert made.gt_sem_seg.shape == (4, 4)


@copies_at_once
@pytest.mark.parametrize('pinned', [True, False])
def test_pinned_memory_is_copied_without_waiting(pinned, monkeypatch):
    asked = []
    move = torch.Tensor.to

    def to(tensor, *args, **kwargs):
        asked.append(kwargs['non_blocking'])
        return move(tensor, *args, **kwargs)

    image = _image(2, (8, 8))
    sent = pickle.loads(pickle.dumps(OneBufferDict(a=image, b=image.clone())))
    monkeypatch.setattr(torch.Tensor, 'to', to)
    monkeypatch.setattr(torch.Tensor, 'is_pinned', lambda _: pinned)
    moved = OneCopy(torch.device('meta'))(sent)
    assert moved['a'].device.type == moved['b'].device.type == 'meta'
    assert asked == [pinned]
