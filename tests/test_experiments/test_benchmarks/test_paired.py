import time

import pytest
import torch

from rml_mmseg.experiments.benchmarks import Timing, alternate, stopwatch


def test_sides_take_turns_in_both_orders():
    calls = []
    sides = {name: lambda name=name: calls.append(name) for name in 'ab'}
    times = alternate(sides, rounds=3, warm_up=1)
    assert ''.join(calls) == 'ab' + 'ab' + 'ba' + 'ab'
    assert [len(t.wall) for t in times.values()] == [3, 3]
    assert [len(t.cpu) for t in times.values()] == [3, 3]


def test_budget_ends_the_rounds_but_not_the_first():
    calls = []
    times = alternate(
        dict(a=lambda: calls.append(1)), rounds=5, warm_up=0, budget=0.0
    )
    assert len(calls) == len(times['a'].wall) == 1


def test_ratio_is_taken_round_by_round():
    # A machine that doubles its speed between rounds changes nothing.
    slow = Timing(wall=[8.0, 4.0, 2.0], cpu=[1.0, 1.0, 4.0])
    fast = Timing(wall=[4.0, 2.0, 1.0], cpu=[1.0, 2.0, 2.0])
    assert slow.over(fast) == 2.0
    assert slow.over(fast, 'cpu') == 1.0
    assert slow.median() == 4.0 and fast.median('cpu') == 2.0


def test_stopwatch_tells_waiting_from_work():
    wall, cpu = stopwatch(lambda: time.sleep(0.05), torch.device('cpu'))
    assert wall >= 0.05 and cpu < 0.04


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_events_wait_for_the_gpu():
    matrix = torch.randn(4096, 4096, device='cuda')
    device = torch.device('cuda')
    stopwatch(lambda: matrix @ matrix, device)
    once, _ = stopwatch(lambda: matrix @ matrix, device)
    often, _ = stopwatch(lambda: [matrix @ matrix for _ in range(20)], device)
    assert often > 5 * once
