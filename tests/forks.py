"""Tests in processes that are forked, to send signals to."""

import multiprocessing
import sys

import pytest

FORK = multiprocessing.get_context('fork')
# What a person at a console would wait for.
PATIENCE = 60

ALONE = pytest.mark.skipif(
    any(name.endswith('test_vis_backends') for name in sys.modules),
    reason='forks of a process with threads of other trackers heed SIGTERM; '
    'runs with the tests of this folder alone',
)
