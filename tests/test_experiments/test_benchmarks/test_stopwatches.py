import pytest
import torch

from rml_mmseg.experiments.benchmarks import Stopwatches


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now

    def process_time(self):
        return self.now / 2


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(
        'rml_mmseg.experiments.benchmarks.stopwatches.time', clock
    )
    return clock


class Worker:
    def __init__(self, clock):
        self.clock = clock

    def outer(self):
        self.clock.now += 2
        self.inner()
        self.clock.now += 3
        return 'done'

    def inner(self):
        self.clock.now += 10


def test_a_part_within_another_stops_it(clock):
    watches, worker = Stopwatches(torch.device('cpu')), Worker(clock)
    watches.watch(worker, 'inner', 'inner')
    watches.watch(worker, 'outer', 'outer')
    with watches.part('all'):
        assert worker.outer() == 'done'
        clock.now += 1
    # Between parts nothing is booked.
    clock.now += 50
    with watches.part('all'):
        clock.now += 4
    assert watches.seconds == dict(all=5, outer=5, inner=10)
    assert watches.cpu_seconds == dict(all=2.5, outer=2.5, inner=5)


def test_a_failing_part_ends(clock):
    watches = Stopwatches(torch.device('cpu'))
    with pytest.raises(ValueError), watches.part('a'):
        clock.now += 1
        raise ValueError
    with watches.part('b'):
        clock.now += 7
    assert watches.seconds == dict(a=1, b=7)
