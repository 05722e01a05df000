"""Workers of data loaders that signals do not end."""

import os
import pickle
import signal
import threading
import time

from torch.utils.data import DataLoader

from rml_mmseg.engine.hooks import InterruptionHook
from rml_mmseg.engine.shielded_worker import ShieldedWorker
from tests.forks import FORK, PATIENCE


def shielded(numbers, ready):
    ShieldedWorker(numbers, lambda number: ready.set())(0)
    time.sleep(PATIENCE)


def test_a_worker_heeds_the_sigterm_of_its_parent_alone():
    ready = FORK.Event()
    process = FORK.Process(
        target=shielded, args=([signal.SIGTERM, signal.SIGUSR1], ready)
    )
    process.start()
    try:
        assert ready.wait(PATIENCE)
        for number in (signal.SIGTERM, signal.SIGUSR1):
            stranger = FORK.Process(target=os.kill, args=(process.pid, number))
            stranger.start()
            stranger.join()
        process.join(0.5)
        assert process.is_alive()
        process.terminate()
        process.join(PATIENCE)
        assert process.exitcode == 0
    finally:
        process.kill()


def test_a_worker_keeps_its_own_beginning():
    """Which seeds it, also where processes are spawned."""
    hook = InterruptionHook(signals=[])
    loader = DataLoader([0], worker_init_fn=str)
    for _ in range(2):
        hook.shield(loader)
    begin = pickle.loads(pickle.dumps(loader.worker_init_fn))
    assert begin.then is str
    before = threading.active_count()
    begin(0)
    assert threading.active_count() == before
