import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rml_mmseg.datasets import seeding
from rml_mmseg.datasets.seeding import derive_seed, seed_devices, seeded


def _draw():
    return random.random(), np.random.uniform(), float(torch.rand(()))


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=4))
def test_derived_seed_is_a_32_bit_function_of_the_numbers(numbers):
    seed = derive_seed(*numbers)
    assert 0 <= seed < 2**32
    assert isinstance(seed, int)
    assert derive_seed(*numbers) == seed


def test_derived_seeds_tell_neighbours_and_orders_apart():
    seeds = {derive_seed(a, b) for a in range(20) for b in range(20)}
    assert len(seeds) == 400


def test_all_three_generators_are_seeded():
    with seeded(3):
        first = _draw()
    _draw()
    with seeded(3):
        assert _draw() == first
    with seeded(4):
        other = _draw()
    assert all(a != b for a, b in zip(first, other))


def test_generators_go_on_as_if_nothing_was_drawn():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    expected = _draw()
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    with seeded(9):
        _draw()
    assert _draw() == expected


def test_generators_are_put_back_after_an_error():
    state = torch.get_rng_state()
    with pytest.raises(KeyError), seeded(1):
        torch.rand(3)
        raise KeyError
    assert torch.equal(torch.get_rng_state(), state)


def test_devices_are_seeded_as_by_pytorch():
    torch.manual_seed(5)
    expected = torch.rand(3)
    seed_devices(5)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize('device', ['mps', 'npu'])
def test_other_devices_are_left_to_pytorch(device, monkeypatch):
    seeds = []
    monkeypatch.setattr(seeding, 'get_device', lambda: device)
    monkeypatch.setattr(torch, 'manual_seed', seeds.append)
    seed_devices(5)
    assert seeds == [5]
