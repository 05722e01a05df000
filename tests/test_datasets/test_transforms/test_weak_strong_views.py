import numpy as np
import pytest
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from rml_mmseg.datasets import WeakStrongViews
from rml_mmseg.datasets.transforms.mark_valid import source_indices


class _Add(BaseTransform):
    """Adds a random number in place and copies the label."""

    def transform(self, results):
        results['img'] += np.random.randint(1, 100, dtype=np.uint8)
        results['gt_seg_map'] = results['gt_seg_map'].copy()
        results['added'] = True
        return results


class _Grey(BaseTransform):
    def transform(self, results):
        results['img'] = results['img'][..., 0]
        return results


def _results():
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    return dict(
        img=image, seg_fields=['gt_seg_map'], gt_seg_map=source_indices(4, 5)
    )


def test_weak_view_is_the_image_by_default():
    results = WeakStrongViews(strong=[_Add()])(_results())
    assert np.array_equal(results['weak'], _results()['img'])
    assert np.array_equal(results['img'], _results()['img'])


def test_views_share_no_memory():
    results = WeakStrongViews()(_results())
    results['weak'][:] = 0
    results['strong'][0][:] = 0
    assert np.array_equal(results['strong'][1], _results()['img'])
    assert np.array_equal(results['img'], _results()['img'])


@pytest.mark.parametrize('axes', [(0,), (1,), (0, 1)])
def test_views_of_a_flipped_image(axes):
    flipped = np.flip(_results()['img'], axes)
    results = WeakStrongViews(strong=[_Add()])(dict(_results(), img=flipped))
    assert np.array_equal(results['weak'], flipped)
    shift = results['strong'][0] - flipped
    assert shift.min() == shift.max() > 0


def test_strong_views_are_drawn_apart_over_the_same_pixels():
    np.random.seed(0)
    strong = WeakStrongViews(strong=[_Add()], num_strong=3)(_results())[
        'strong'
    ]
    shifts = [(view - _results()['img']) for view in strong]
    assert all((shift == shift[0, 0, 0]).all() for shift in shifts)
    assert len({int(shift[0, 0, 0]) for shift in shifts}) == 3


def test_views_change_nothing_but_images():
    given = _results()
    results = WeakStrongViews(strong=[_Add()], weak=[_Add()])(dict(given))
    assert results['gt_seg_map'] is given['gt_seg_map']
    assert 'added' not in results


def test_weak_transforms_act_on_the_weak_view_alone():
    results = WeakStrongViews(weak=[_Add()])(_results())
    assert not np.array_equal(results['weak'], _results()['img'])
    assert all(
        np.array_equal(view, _results()['img']) for view in results['strong']
    )


@pytest.mark.parametrize('number', [1, 2, 4])
def test_number_of_strong_views(number):
    assert (
        len(WeakStrongViews(num_strong=number)(_results())['strong']) == number
    )


def test_two_strong_views_by_default():
    assert len(WeakStrongViews()(_results())['strong']) == 2


@pytest.mark.parametrize(
    'step',
    [
        dict(type='Resize', scale=(3, 3)),
        dict(type='RandomCrop', crop_size=(2, 2)),
    ],
)
@pytest.mark.parametrize('which', ['weak', 'strong'])
def test_transform_that_changes_the_size_is_refused(step, which):
    views = WeakStrongViews(**{which: [step]})
    with pytest.raises(ValueError, match='changes the size before it'):
        views(_results())


@pytest.mark.parametrize(
    'step',
    [
        dict(type='RandomFlip', prob=1.0),
        dict(type='RandomRotate', prob=1.0, degree=(180, 180)),
    ],
)
@pytest.mark.parametrize('which', ['weak', 'strong'])
def test_transform_that_moves_pixels_is_refused(step, which):
    views = WeakStrongViews(**{which: [step]})
    with pytest.raises(ValueError, match=rf'\.{which}: .* before WeakStr'):
        views(_results())


def test_transform_that_drops_a_channel_is_refused():
    with pytest.raises(ValueError, match='changes the size before it'):
        WeakStrongViews(strong=[_Grey()])(_results())


def test_no_strong_view_is_an_error():
    with pytest.raises(ValueError, match='num_strong.*0'):
        WeakStrongViews(num_strong=0)


def test_registry_and_repr():
    views = TRANSFORMS.build(
        dict(
            type='WeakStrongViews',
            strong=[dict(type='PhotometricRandAugment')],
            num_strong=3,
        )
    )
    assert 'PhotometricRandAugment' in repr(views)
    assert 'num_strong=3' in repr(views)
