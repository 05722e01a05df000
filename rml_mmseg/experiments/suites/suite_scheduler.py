"""Scheduler that runs a suite, several runs at a time."""

from __future__ import annotations

import shutil
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable

from rml_mmseg.engine.config_files import read_config

from ..scalars import read_curves
from .curves import monitor_curves
from .digests import take_digests
from .job import Job, shown_command
from .log_end import last_words
from .progress import (
    last_iteration,
    remaining_seconds,
    training_logs,
)
from .results import read_class_ious, read_scores
from .suite_run import CLASS_IOUS, METRIC, TESTS, SuiteRun, iteration_of

# Longer than the 30 seconds that torchrun gives its processes.
TORCHRUN_GRACE = 35.0


class SuiteScheduler:
    """Trains and tests runs, one at a time in each slot.

    A finished run is skipped, a run with a checkpoint resumes from it, and a
    run that fails does not stop the others. SIGINT, SIGTERM and SIGHUP end
    the processes of all slots before :meth:`run` returns; a second signal
    kills them at once.

    Args:
        runs (Sequence[SuiteRun]): The runs, in order.
        tools (Path): Folder of train.py and test.py.
        slots (Sequence[dict[str, str]]): Environment variables of each slot.
        commit (str): Git commit to record with the results.
        on_result (Callable): Called after each run that ends.
        keep_open (Sequence[int]): File descriptors that all processes
            inherit. Defaults to none.
        report_every (float): Seconds between two lines of progress.
            Defaults to 30.
        poll (float): Seconds between two checks of the processes. Defaults
            to 0.2.
        grace (float): Seconds that processes have to end after SIGTERM.
            Defaults to 10.

    Attributes:
        failures (dict): Reason and log (or None) of each failed run, by its
            name.
        signals (list[int]): Signals that were caught.
    """

    def __init__(
        self,
        runs: Sequence[SuiteRun],
        tools: Path,
        slots: Sequence[dict[str, str]],
        commit: str,
        on_result: Callable[[], Any],
        keep_open: Sequence[int] = (),
        report_every: float = 30.0,
        poll: float = 0.2,
        grace: float = 10.0,
    ) -> None:
        self.runs = runs
        self.tools = tools
        self.slots = slots
        self.commit = commit
        self.on_result = on_result
        self.keep_open = keep_open
        self.report_every = report_every
        self.poll = poll
        self.grace = grace
        self.signals: list[int] = []
        self.failures: dict[str, tuple[str, Path | None]] = {}
        self._waiting = deque(runs)
        self._active: dict[int, Job] = {}

    def run(self) -> None:
        """Run all until they have ended or a signal arrives."""
        reported = time.monotonic()
        with self._catch_signals():
            try:
                while (self._waiting or self._active) and not self.signals:
                    self._fill_slots()
                    self._collect()
                    if time.monotonic() - reported >= self.report_every:
                        reported = time.monotonic()
                        self._report()
                    if self._active:
                        time.sleep(self.poll)
            finally:
                self._end_processes()

    @contextmanager
    def _catch_signals(self) -> Iterator[None]:
        numbers = [signal.SIGINT, signal.SIGTERM]
        # Under nohup it is ignored and must stay so.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        before = {
            number: signal.signal(number, lambda n, _: self.signals.append(n))
            for number in numbers
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _fill_slots(self) -> None:
        for slot in range(len(self.slots)):
            while self._waiting and slot not in self._active:
                self._begin(slot, self._waiting.popleft())

    def _begin(self, slot: int, run: SuiteRun) -> None:
        if run.status == 'finished' and not run.untested:
            say(f'skip {run.name}: finished before')
            return
        try:
            # train.py reads these files, which may have changed meanwhile.
            digests = take_digests(
                read_config(run.config, imports=False), run.options
            )
            run.check_settings(digests)
        except Exception as error:
            self._fail(run, f'{type(error).__name__}: {error}')
            return
        if run.status in ('trained', 'finished'):
            self._test(slot, run)
        else:
            run.save(digests=run.record.get('digests', digests))
            self._launch(slot, run, 'train', run.train_arguments())

    def _test(self, slot: int, run: SuiteRun) -> None:
        """Start the next test of a trained run in a slot."""
        name = run.untested[0]
        if name == 'best' and run.best_checkpoint is None:
            self._fail(
                run,
                f'train.py left no best_{METRIC}_iter_N.pth in {run.folder}: '
                'it must validate within train_cfg.iters_per_stage, with '
                f"default_hooks.checkpoint.save_best='{METRIC}'",
            )
            return
        part, _ = TESTS[name]
        # The folder must hold the scores of one checkpoint only.
        shutil.rmtree(run.folder / part, ignore_errors=True)
        self._launch(slot, run, part, run.test_arguments(name))

    def _launch(
        self, slot: int, run: SuiteRun, part: str, arguments: list[str]
    ) -> None:
        """Start a training or test in a slot."""
        script = self.tools / f'{part.split("_")[0]}.py'
        record = run.record
        environment = self.slots[slot]
        command = shown_command(script, arguments, environment, run.processes)
        commits = [c for c in record.get('commits', []) if c != self.commit]
        run.save(
            status=record.get('status', 'begun'),
            commands=[*record.get('commands', []), command],
            commits=[*commits, self.commit],
            failure=None,
        )
        verb = 'resume' if '--resume' in arguments else part
        say(f'{verb} {run.name} in slot {slot}')
        self._active[slot] = Job(
            run,
            part,
            script=script,
            arguments=arguments,
            environment=environment,
            keep_open=self.keep_open,
        )

    def _collect(self) -> None:
        """Continue in the slots whose process has ended."""
        for slot, job in list(self._active.items()):
            code = job.process.poll()
            if code is None:
                continue
            del self._active[slot]
            job.save_time()
            if code:
                end = f'signal {-code}' if code < 0 else f'exit code {code}'
                self._fail(job.run, f'{job.part}.py: {end}', job.log)
            elif job.part == 'train':
                self._finish_training(slot, job)
            else:
                self._finish_test(slot, job)

    def _finish_training(self, slot: int, job: Job) -> None:
        run = job.run
        if run.checkpoint is None:
            reason = f'train.py left no last_checkpoint in {run.folder}'
            self._fail(run, reason, job.log)
            return
        logs = sorted(training_logs(run.folder))
        train, val = read_curves(logs)
        run.save(
            status='trained',
            # Epoch checkpoints name no iteration; logs may miss the end.
            iterations=max(run.saved_iteration, last_iteration(logs)),
            checkpoint=run.checkpoint,
            validation=dict(val.get(METRIC, [])),
            curves={k: dict(c) for k, c in monitor_curves(train).items()},
        )
        self._test(slot, run)

    def _finish_test(self, slot: int, job: Job) -> None:
        run = job.run
        try:
            scores = read_scores(run.folder / job.part)
        except ValueError as error:
            self._fail(run, str(error), job.log)
            return
        tested = {n for n, (part, _) in TESTS.items() if part == job.part}
        best = iteration_of(run.best_checkpoint)
        if best and best == run.saved_iteration and 'best' in run.untested:
            # Both are the same weights, which have just been tested.
            tested.add('best')
        changes: dict[str, Any] = {TESTS[name][1]: scores for name in tested}
        if 'best' in tested:
            changes['best_iteration'] = best
        if 'last' in tested:
            ious = read_class_ious(run.folder / job.part)
            changes[CLASS_IOUS] = ious or None
        run.save(**changes)
        if run.untested:
            self._test(slot, run)
            return
        run.save(status='finished')
        trained = clock(run.record['seconds'])
        # Of the last checkpoint, as in the table, if it was tested.
        scores = run.record.get(TESTS['last'][1], scores)
        say(
            f'finished {run.name}: {METRIC} {scores[METRIC]:.2f}, '
            f'trained in {trained}'
        )
        self.on_result()

    def _fail(
        self, run: SuiteRun, reason: str, log: Path | None = None
    ) -> None:
        self.failures[run.name] = (reason, log)
        if run.record:
            words = last_words(log) if log else ''
            run.save(failure=f'{reason}: {words}' if words else reason)
        say(f'failed {run.name}: {reason}')
        self.on_result()

    def _report(self) -> None:
        """Print how far the suite is, and save the time of its jobs."""
        states = {
            run.name: run.progress
            for run in self.runs
            if run.name not in self.failures
        }
        work = []
        for job in self._active.values():
            job.save_time()
            name = job.run.name
            if job.part == 'train':
                states[name] = job.progress
                target = job.run.target or '?'
                work.append(f'{name} {states[name].done}/{target}')
            else:
                work.append(f'{name} test')
        rest = remaining_seconds(list(states.values()), len(self.slots))
        done = sum(run.status == 'finished' for run in self.runs)
        say(
            f'{done}/{len(self.runs)} finished, {len(self.failures)} failed, '
            f'ETA {"unknown" if rest is None else clock(rest)} | '
            f'{", ".join(work)}'
        )

    def _end_processes(self) -> None:
        """End what still runs: SIGTERM first, SIGKILL after the grace time."""
        if not self._active:
            return
        jobs = list(self._active.values())
        names = [signal.Signals(number).name for number in self.signals[:1]]
        say(f'{"".join(names) or "error"}: stopping {len(jobs)} processes')
        known = len(self.signals)
        for job in jobs:
            job.send(signal.SIGTERM)
        several = any(job.run.processes > 1 for job in jobs)
        grace = max(self.grace, TORCHRUN_GRACE) if several else self.grace
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and len(self.signals) == known:
            if all(job.process.poll() is not None for job in jobs):
                break
            time.sleep(self.poll)
        for job in jobs:
            # Even if the leader has ended, as its workers may be left.
            job.send(signal.SIGKILL)
            job.process.wait()
        self._active.clear()
        # Last, as this fails on a full disk.
        for job in jobs:
            job.save_time()


def say(text: str) -> None:
    """Print a line with the time of day."""
    print(time.strftime('%H:%M:%S'), text, flush=True)


def clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))
