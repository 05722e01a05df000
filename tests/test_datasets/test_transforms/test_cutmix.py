import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmseg.datasets.dataset_wrappers import MultiImageMixDataset
from mmseg.registry import TRANSFORMS

from rml_mmseg.datasets import CutMix
from rml_mmseg.models.utils import sample_cutmix_box
from tests.toys import METAINFO, write_images

_LAW = settings(deadline=None, max_examples=40)
MASKS = ('box', 'class', 'cow')


def _item(offset, size=(12, 16), seed=0):
    """An image whose label is its first channel minus ``offset``."""
    label = np.random.default_rng(seed).integers(0, 5, size)
    image = np.stack([label + offset] * 3, -1).astype(np.uint8)
    return dict(img=image, gt_seg_map=label.astype(np.uint8))


def _draw(transform, seed=0, size=(12, 16)):
    np.random.seed(seed)
    return transform(dict(img=np.zeros((*size, 3), np.uint8)))


class TestDraws:
    def test_box_is_drawn_from_the_seeded_generator(self):
        results = _draw(CutMix(area=0.25), seed=3)
        expected = np.random.RandomState(3)
        expected.uniform()
        box = sample_cutmix_box(12, 16, expected, 0.25)
        assert results['mix_box'].tolist() == list(box)
        assert 'mix_mask' not in results
        assert 'mix_classes' not in results

    @pytest.mark.parametrize('area', [0.2, 0.5, 0.9])
    def test_blobs_cover_their_share(self, area):
        for seed in range(5):
            mask = _draw(CutMix('cow', area=area), seed)['mix_mask']
            assert mask.shape == (12, 16)
            assert mask.dtype == bool
            assert abs(mask.sum() - area * 192) <= 1

    def test_blobs_are_smoother_the_larger_they_are(self):
        def edges(sigma):
            transform = CutMix('cow', blob_size=(sigma, sigma))
            mask = _draw(transform, 0, (64, 64))['mix_mask'].astype(int)
            return np.abs(np.diff(mask)).sum()

        assert edges(8) < edges(2) < edges(0.5)

    def test_class_order_has_a_number_for_every_id(self):
        order = _draw(CutMix('class'))['mix_classes']
        assert order.shape == (256,)
        assert len(set(order.tolist())) > 200
        assert ((order >= 0) & (order < 1)).all()

    def test_without_a_chance_nothing_is_mixed(self):
        assert _draw(CutMix('box', prob=0))['mix_box'].tolist() == [0] * 4
        assert not _draw(CutMix('cow', prob=0))['mix_mask'].any()
        assert np.isinf(_draw(CutMix('class', prob=0))['mix_classes']).all()

    def test_share_of_mixed_images(self):
        transform = CutMix(prob=0.25)
        np.random.seed(0)
        image = dict(img=np.zeros((12, 16, 3), np.uint8))
        mixed = sum(
            transform(dict(image))['mix_box'].any() for _ in range(400)
        )
        assert 70 < mixed < 130

    @pytest.mark.parametrize('mask', MASKS)
    def test_image_is_left_alone(self, mask):
        results = dict(img=np.full((12, 16, 3), 7, np.uint8))
        assert (CutMix(mask)(results)['img'] == 7).all()

    @pytest.mark.parametrize('mask', MASKS)
    def test_same_seed_same_draw(self, mask):
        key = {'box': 'mix_box', 'cow': 'mix_mask', 'class': 'mix_classes'}
        draws = [_draw(CutMix(mask), seed)[key[mask]] for seed in (1, 1, 2)]
        assert np.array_equal(draws[0], draws[1])
        assert not np.array_equal(draws[0], draws[2])

    @pytest.mark.parametrize('mask', MASKS)
    def test_several_masks_are_drawn_one_after_the_other(self, mask):
        key = {'box': 'mix_box', 'cow': 'mix_mask', 'class': 'mix_classes'}
        several = _draw(CutMix(mask, num_masks=3), 1)[key[mask]]
        np.random.seed(1)
        image = dict(img=np.zeros((12, 16, 3), np.uint8))
        single = [CutMix(mask)(dict(image))[key[mask]] for _ in range(3)]
        assert np.array_equal(several, np.stack(single))
        assert not np.array_equal(single[0], single[1])

    def test_a_mask_at_least(self):
        with pytest.raises(ValueError, match='CutMix.num_masks.*got 0'):
            CutMix(num_masks=0)


class TestDirectMixing:
    @_LAW
    @given(
        mask=st.sampled_from(MASKS),
        seed=st.integers(0, 2**31),
        area=st.floats(0.1, 0.9),
    )
    def test_image_and_label_move_alike(self, mask, seed, area):
        mine, other = _item(10, seed=1), _item(100, seed=2)
        np.random.seed(seed)
        results = CutMix(mask, area=area)(
            dict(_item(10, seed=1), mix_results=[_item(100, seed=2)])
        )
        image, label = results['img'], results['gt_seg_map']
        pasted = image[..., 0] >= 100
        assert np.array_equal(label[pasted], other['gt_seg_map'][pasted])
        assert np.array_equal(label[~pasted], mine['gt_seg_map'][~pasted])
        assert np.array_equal(image[pasted], other['img'][pasted])
        assert np.array_equal(image[~pasted], mine['img'][~pasted])
        assert image.dtype == np.uint8
        assert label.dtype == np.uint8

    def test_box_is_a_box_of_its_area(self):
        np.random.seed(0)
        results = CutMix()(dict(_item(10), mix_results=[_item(100)]))
        pasted = results['img'][..., 0] >= 100
        rows, columns = pasted.any(1), pasted.any(0)
        assert np.array_equal(pasted, rows[:, None] & columns[None])
        assert pasted.mean() == pytest.approx(0.5, abs=0.1)

    def test_half_of_the_classes_rounded_up_are_pasted_whole(self):
        other = _item(100)
        other['gt_seg_map'][0] = 255
        chosen = set()
        for seed in range(8):
            np.random.seed(seed)
            results = CutMix('class')(dict(_item(10), mix_results=[other]))
            pasted = results['img'][..., 0] >= 100
            classes = set(other['gt_seg_map'][pasted].tolist())
            # Half of five classes, rounded up; ignored pixels are no class.
            assert len(classes) == 3
            assert 255 not in classes
            assert np.array_equal(
                pasted, np.isin(other['gt_seg_map'], list(classes))
            )
            chosen |= classes
        assert chosen == {0, 1, 2, 3, 4}

    @pytest.mark.parametrize('mask', MASKS)
    def test_partner_without_classes_and_prob_zero_change_nothing(self, mask):
        mine = _item(10)
        results = CutMix(mask, prob=0)(
            dict(_item(10), mix_results=[_item(99)])
        )
        assert np.array_equal(results['img'], mine['img'])
        other = _item(100)
        other['gt_seg_map'][:] = 255
        results = CutMix('class')(dict(_item(10), mix_results=[other]))
        assert np.array_equal(results['img'], mine['img'])

    def test_sizes_that_differ_are_an_error(self):
        other = dict(_item(9, size=(5, 5)), img_path='b.png')
        with pytest.raises(ValueError, match=r"'b\.png' \(5, 5, 3\).*crop"):
            CutMix()(dict(_item(9), mix_results=[other]))

    def test_in_a_stock_dataset(self, tmp_path):
        write_images(tmp_path, 4)
        dataset = MultiImageMixDataset(
            dataset=dict(
                type='BaseSegDataset',
                data_root=str(tmp_path),
                data_prefix=dict(img_path='img', seg_map_path='ann'),
                img_suffix='.png',
                metainfo=METAINFO,
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='LoadAnnotations'),
                ],
            ),
            pipeline=[dict(type='CutMix'), dict(type='PackSegInputs')],
        )
        original = cv2.imread(str(tmp_path / 'img' / '0.png'))
        mixed = 0
        np.random.seed(0)
        for _ in range(8):
            item = dataset[0]
            label = item['data_samples'].gt_sem_seg.data[0]
            assert np.array_equal(label, item['inputs'][0] % 3)
            now = item['inputs'].numpy().transpose(1, 2, 0)
            mixed += not np.array_equal(now, original)
        assert mixed > 3

    def test_partners_come_from_the_whole_set(self):
        np.random.seed(0)
        drawn = {CutMix().get_indices(range(4)) for _ in range(60)}
        assert drawn == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ('setting', 'value'),
    [
        ('mask', 'circle'),
        ('area', 0),
        ('area', 1),
        ('area', '0.5'),
        ('prob', -0.1),
        ('prob', 2),
        ('prob', '1'),
        ('blob_size', 4),
        ('num_masks', '2'),
    ],
)
def test_setting_out_of_range_is_an_error(setting, value):
    found = re.escape(str(value))
    with pytest.raises(ValueError, match=f'CutMix.{setting}.*{found}'):
        CutMix(**{setting: value})


def test_blobs_of_no_size_are_an_error():
    with pytest.raises(ValueError, match=r'blob_size\[0\] must .*got 0'):
        CutMix(blob_size=(0, 16))


def test_registry_and_repr():
    transform = TRANSFORMS.build(dict(type='CutMix', mask='cow', prob=0.5))
    assert repr(transform) == (
        "CutMix(mask='cow', area=0.5, prob=0.5, blob_size=(4, 16), "
        'num_masks=1)'
    )
