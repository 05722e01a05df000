import time

import pytest
import torch

from rml_mmseg.evaluation.benchmarks import Stopwatches


class Worker:
    def outer(self):
        time.sleep(0.02)
        self.inner()
        return 'done'

    def inner(self):
        time.sleep(0.06)


def test_a_part_within_another_stops_it():
    watches, worker = Stopwatches(torch.device('cpu')), Worker()
    watches.watch(worker, 'inner', 'inner')
    watches.watch(worker, 'outer', 'outer')
    with watches.part('all'):
        assert worker.outer() == 'done'
    assert watches.seconds['inner'] >= 0.06
    assert 0.02 <= watches.seconds['outer'] < watches.seconds['inner']
    assert watches.seconds['all'] < 0.02


def test_a_failing_part_ends():
    watches = Stopwatches(torch.device('cpu'))
    with pytest.raises(ValueError), watches.part('a'):
        raise ValueError
    with watches.part('b'):
        time.sleep(0.03)
    assert watches.seconds['a'] < watches.seconds['b']
