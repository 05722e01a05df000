import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmseg.registry import DATA_SAMPLERS

from rml_mmseg.datasets import SemiSegSampler
from rml_mmseg.datasets.samplers import semi_seg_sampler

_LAW = settings(deadline=None, max_examples=40)
_SIZES = dict(
    labelled=st.integers(1, 6),
    unlabelled=st.integers(1, 12),
    k=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)


class _Set(SimpleNamespace):
    def __len__(self):
        return len(self.unlabelled)


def _dataset(labelled=3, unlabelled=7, k=1):
    return _Set(labelled=range(labelled), unlabelled=range(unlabelled), k=k)


def _take(sampler, count):
    return list(itertools.islice(iter(sampler), count))


def _sampler(dataset, rank=0, world_size=1, **kwargs):
    sampler = SemiSegSampler(dataset, **kwargs)
    sampler.rank, sampler.world_size = rank, world_size
    return sampler


@_LAW
@given(**_SIZES)
def test_both_sets_are_drawn_in_whole_passes(labelled, unlabelled, k, seed):
    sampler = _sampler(_dataset(labelled, unlabelled, k), seed=seed)
    draws = _take(sampler, 2 * labelled * unlabelled)
    first = [draw.labelled for draw in draws]
    second = [i for draw in draws for i in draw.unlabelled]
    for ids, size in ((first, labelled), (second, unlabelled)):
        assert len(ids) % size == 0
        for start in range(0, len(ids), size):
            assert sorted(ids[start : start + size]) == list(range(size))


@_LAW
@given(world_size=st.integers(1, 4), **_SIZES)
def test_ranks_share_the_draws(world_size, labelled, unlabelled, k, seed):
    dataset = _dataset(labelled, unlabelled, k)
    whole = _take(_sampler(dataset, seed=seed), 12 * world_size)
    parts = [
        _take(_sampler(dataset, rank, world_size, seed=seed), 12)
        for rank in range(world_size)
    ]
    assert [d for row in zip(*parts) for d in row] == whole


@_LAW
@given(
    first=st.integers(0, 40),
    second=st.integers(0, 40),
    rank=st.integers(0, 2),
    **_SIZES,
)
def test_skipping_equals_dropping(
    first, second, rank, labelled, unlabelled, k, seed
):
    dataset = _dataset(labelled, unlabelled, k)
    whole = _take(_sampler(dataset, rank, 3, seed=seed), first + second + 9)
    sampler = _sampler(dataset, rank, 3, seed=seed)
    sampler.skip(first)
    sampler.skip(second)
    assert _take(sampler, 9) == whole[first + second :]


def test_skipping_takes_constant_time(monkeypatch):
    shuffles = []
    derive = semi_seg_sampler.derive_seed

    def count(*entropy):
        shuffles.append(entropy)
        return derive(*entropy)

    monkeypatch.setattr(semi_seg_sampler, 'derive_seed', count)
    sampler = _sampler(_dataset(), seed=0)
    sampler.skip(10**12)
    draw = _take(sampler, 1)[0]
    # One order for each set, and the item's own seed.
    assert len(shuffles) == 3
    assert 0 <= draw.labelled < 3


def test_same_seed_same_draws_and_others_otherwise():
    dataset = _dataset(20, 30)
    draws = _take(_sampler(dataset, seed=1), 30)
    assert _take(_sampler(dataset, seed=1), 30) == draws
    assert _take(_sampler(dataset, seed=2), 30) != draws
    sampler = _sampler(dataset, seed=1)
    assert _take(sampler, 30) == _take(sampler, 30)


def test_passes_differ_in_order_and_the_sets_from_each_other():
    draws = _take(_sampler(_dataset(30, 30), seed=3), 60)
    labelled = [draw.labelled for draw in draws]
    unlabelled = [draw.unlabelled[0] for draw in draws]
    assert labelled[:30] != labelled[30:]
    assert unlabelled[:30] != unlabelled[30:]
    assert labelled[:30] != unlabelled[:30]


def test_every_draw_has_a_seed_of_its_own():
    draws = _take(_sampler(_dataset(), seed=3), 500)
    assert len({draw.seed for draw in draws}) == 500


def test_without_shuffling_in_order():
    sampler = _sampler(_dataset(2, 3, k=2), seed=0, shuffle=False)
    draws = [(d.labelled, d.unlabelled) for d in _take(sampler, 3)]
    assert draws == [(0, (0, 1)), (1, (2, 0)), (0, (1, 2))]


def test_order_does_not_depend_on_global_random_state():
    np.random.seed(0)
    first = _take(_sampler(_dataset(9, 9), seed=5), 9)
    np.random.seed(1)
    assert _take(_sampler(_dataset(9, 9), seed=5), 9) == first


def test_set_epoch_changes_nothing():
    sampler = _sampler(_dataset(9, 9), seed=5)
    first = _take(sampler, 9)
    sampler.set_epoch(3)
    assert _take(sampler, 9) == first


def test_length_and_registry():
    sampler = DATA_SAMPLERS.build(
        dict(type='SemiSegSampler', dataset=_dataset(3, 7), seed=0)
    )
    assert len(sampler) == 7
    assert isinstance(sampler, SemiSegSampler)


def test_seed_by_default_is_agreed_on(monkeypatch):
    monkeypatch.setattr(semi_seg_sampler, 'sync_random_seed', lambda: 77)
    assert SemiSegSampler(_dataset()).seed == 77
    assert SemiSegSampler(_dataset(), seed=0).seed == 0


def test_rank_and_world_size_are_those_of_the_run(monkeypatch):
    monkeypatch.setattr(semi_seg_sampler, 'get_dist_info', lambda: (1, 2))
    dataset = _dataset()
    whole = _take(_sampler(dataset, seed=0), 10)
    assert _take(SemiSegSampler(dataset, seed=0), 5) == whole[1::2]


def test_plain_dataset_is_an_error():
    with pytest.raises(TypeError, match='InfiniteSampler'):
        SemiSegSampler([1, 2, 3])
