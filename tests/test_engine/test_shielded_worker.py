"""Workers of data loaders that signals do not end."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time

from torch.utils.data import DataLoader

from rml_mmseg.engine.hooks import InterruptionHook
from rml_mmseg.engine.shielded_worker import ShieldedWorker, shielded_forks
from tests.forks import FORK, PATIENCE


def shielded(begin, ready):
    begin(0)
    ready.set()
    time.sleep(PATIENCE)


def send_from_a_stranger(process, numbers):
    """Send signals from a process that is not the receiver's parent."""
    for number in numbers:
        stranger = FORK.Process(target=os.kill, args=(process.pid, number))
        stranger.start()
        stranger.join()


def test_a_worker_heeds_the_sigterm_of_its_parent_alone():
    ready = FORK.Event()
    begin = ShieldedWorker([signal.SIGTERM, signal.SIGUSR1])
    process = FORK.Process(target=shielded, args=(begin, ready))
    process.start()
    try:
        assert ready.wait(PATIENCE)
        send_from_a_stranger(process, [signal.SIGTERM, signal.SIGUSR1])
        process.join(0.5)
        assert process.is_alive()
        process.terminate()
        process.join(PATIENCE)
        assert process.exitcode == 0
    finally:
        process.kill()


def late(begin, started, ready):
    started.set()
    time.sleep(0.5)
    shielded(begin, ready)


def test_no_signal_ends_a_worker_that_has_not_begun():
    numbers = [signal.SIGTERM, signal.SIGUSR1]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    started, ready = FORK.Event(), FORK.Event()
    process = shielded_forks(numbers).Process(
        target=late, args=(ShieldedWorker(numbers), started, ready)
    )
    process.start()
    try:
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
        assert started.wait(PATIENCE)
        send_from_a_stranger(process, numbers)
        assert ready.wait(PATIENCE)
        process.join(0.2)
        assert process.is_alive()
        process.terminate()
        process.join(PATIENCE)
        assert process.exitcode == 0
    finally:
        process.kill()


SERVER = """
import multiprocessing, signal, time
from rml_mmseg.engine.shielded_worker import ShieldedWorker

def work(begin, ready):
    begin(0)
    ready.set()
    time.sleep(60)

if __name__ == '__main__':
    context = multiprocessing.get_context('forkserver')
    ready = context.Event()
    begin = ShieldedWorker([signal.SIGTERM])
    process = context.Process(target=work, args=(begin, ready))
    process.start()
    assert ready.wait(60)
    process.terminate()
    process.join(20)
    print('ended:', process.exitcode is not None)
    process.kill()
"""


def test_the_parent_of_a_worker_may_be_a_server_that_forks(tmp_path):
    path = tmp_path / 'server.py'
    path.write_text(SERVER)
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        # With more threads of libraries, signals would end the process anyway.
        env={**os.environ, 'OPENBLAS_NUM_THREADS': '1'},
    )
    assert done.stdout.endswith('ended: True\n'), done.stderr


def test_a_worker_keeps_its_own_beginning():
    """Its ``worker_init_fn`` seeds it, also where processes are spawned."""
    hook = InterruptionHook(signals=[])
    loader = DataLoader([0], worker_init_fn=str)
    for _ in range(2):
        hook.shield(loader)
    begin = pickle.loads(pickle.dumps(loader.worker_init_fn))
    assert begin.then is str
    before = threading.active_count()
    begin(0)
    assert threading.active_count() == before
