import numpy as np
import pytest
from mmpretrain.registry import TRANSFORMS as PRETRAIN_TRANSFORMS
from mmseg.registry import TRANSFORMS

from rml_mmseg.datasets import PhotometricRandAugment
from rml_mmseg.datasets.transforms.photometric_rand_augment import (
    DEFAULT_POLICIES,
)

GEOMETRIC = ('Rotate', 'Shear', 'Translate', 'Cutout', 'RandomCrop')


def _image(seed=0):
    return np.random.default_rng(seed).integers(
        0, 256, (9, 11, 3), dtype=np.uint8
    )


def _augment(transform, seed, image=None):
    np.random.seed(seed)
    results = dict(img=_image() if image is None else image)
    return transform(results)['img']


@pytest.mark.parametrize('name', GEOMETRIC)
@pytest.mark.parametrize('scope', ['', 'mmpretrain.'])
def test_geometric_policy_is_refused(name, scope):
    with pytest.raises(ValueError, match=f'{name}.*not photometric'):
        PhotometricRandAugment(policies=[dict(type=scope + name)])


def test_same_seed_same_image():
    transform = PhotometricRandAugment()
    images = [_augment(transform, seed) for seed in range(20)]
    again = [_augment(transform, seed) for seed in range(20)]
    assert all(np.array_equal(a, b) for a, b in zip(images, again))
    assert len({image.tobytes() for image in images}) > 10


def test_size_type_and_label_are_kept():
    transform = PhotometricRandAugment(num_policies=3)
    label = np.arange(99, dtype=np.uint8).reshape(9, 11)
    for seed in range(30):
        np.random.seed(seed)
        before = _image()
        results = transform(
            dict(
                img=before, gt_seg_map=label.copy(), seg_fields=['gt_seg_map']
            )
        )
        assert results['img'].shape == (9, 11, 3)
        assert results['img'].dtype == np.uint8
        assert np.array_equal(results['gt_seg_map'], label)
        assert np.array_equal(before, _image())


def test_pixels_stay_where_they_are():
    """No default policy moves a pixel: a mark stays the darkest place.

    Sharpness is left out, as it looks at neighbours by design.
    """
    image = np.full((9, 11, 3), 200, np.uint8)
    image[3, 7] = 90
    transform = PhotometricRandAugment(num_policies=1)
    for seed in range(60):
        out = _augment(transform, seed, image).astype(int)
        moved = np.abs(out - out[0, 0]).sum(-1)
        moved[3, 7] = 0
        moved[2:5, 6:9] = 0
        assert not moved.any(), seed


def test_no_chance_changes_nothing_and_certainty_does():
    invert = [dict(type='Invert')]
    never = PhotometricRandAugment(policies=invert, prob=0.0, num_policies=1)
    always = PhotometricRandAugment(policies=invert, prob=1.0, num_policies=1)
    for seed in range(5):
        assert np.array_equal(_augment(never, seed), _image())
        assert np.array_equal(_augment(always, seed), 255 - _image())


def test_own_chance_of_a_policy_comes_first():
    transform = PhotometricRandAugment(
        policies=[dict(type='Invert', prob=1.0)], prob=0.0, num_policies=1
    )
    assert np.array_equal(_augment(transform, 0), 255 - _image())


def test_number_of_policies():
    twice = PhotometricRandAugment(
        policies=[dict(type='Invert', prob=1.0)], num_policies=2
    )
    assert np.array_equal(_augment(twice, 0), _image())


def test_strength_without_spread_is_the_level_s():
    # Level 5 of 10 in (8, 4) bits keeps the 6 highest bits.
    transform = PhotometricRandAugment(
        policies=[dict(type='Posterize', magnitude_range=(8, 4), prob=1.0)],
        num_policies=1,
        magnitude_level=5,
        magnitude_std=0,
    )
    assert np.array_equal(_augment(transform, 0), _image() & 0b11111100)


def test_strength_is_spread_by_default():
    transform = PhotometricRandAugment(
        policies=[dict(type='Solarize', magnitude_range=(256, 0), prob=1.0)],
        num_policies=1,
    )
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    kept = [
        int((_augment(transform, seed, ramp) == ramp).all(-1).sum())
        for seed in range(40)
    ]
    assert min(kept) < 60
    assert max(kept) > 200


def test_default_policies_follow_the_paper_s_list():
    transform = PhotometricRandAugment()
    names = [policy['type'] for policy in transform.augment.policies]
    assert names == [
        f'mmpretrain.{name}'
        for name in (
            'AutoContrast',
            'Equalize',
            'Posterize',
            'Solarize',
            'ColorTransform',
            'Contrast',
            'Brightness',
            'Sharpness',
        )
    ]
    assert all(
        policy['prob'] == pytest.approx(8 / 9)
        for policy in transform.augment.policies
    )


def test_policies_given_are_left_alone():
    policies = [dict(type='Invert')]
    PhotometricRandAugment(policies=policies)
    assert policies == [dict(type='Invert')]


def test_is_registered_in_mmseg_alone():
    built = TRANSFORMS.build(dict(type='PhotometricRandAugment'))
    assert isinstance(built, PhotometricRandAugment)
    assert 'Invert' in repr(built) or 'Equalize' in repr(built)
    assert 'PhotometricRandAugment' not in PRETRAIN_TRANSFORMS.module_dict


@pytest.mark.parametrize(
    'policy',
    [policy for policy in DEFAULT_POLICIES if 'magnitude_range' in policy],
    ids=lambda policy: policy['type'],
)
def test_level_zero_changes_nothing(policy):
    augment = PhotometricRandAugment(
        num_policies=1, magnitude_level=0, prob=1.0, policies=[policy]
    )
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    found = augment(dict(img=image.copy()))['img']
    assert np.array_equal(found, image)
