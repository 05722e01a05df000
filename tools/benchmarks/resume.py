"""Time to the first iteration of a resumed run against a fresh one."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from mmengine.config import Config

from rml_mmseg.experiments.benchmarks import (
    MeasuredLoop,
    Report,
    add_report_arguments,
    alternate,
    load_training,
    run_measured,
    stopwatch,
)

DEFAULT = 'configs/ablations/_base_/camvid_1-8.py'
LIMIT = 1.1


class ForkedLoop(MeasuredLoop):
    """Resumes the data of a run as the onedl fork of mmengine does.

    It tells the sampler how many draws were used and then rebuilds the
    loader's iterator.
    """

    def _resume_within_stage(self) -> None:
        loader = self.dataloader
        loader.sampler.skip(self._iter * loader.batch_size)
        self.dataloader_iterator = type(self.dataloader_iterator)(loader)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', nargs='?', default=DEFAULT)
    parser.add_argument('--iteration', type=int, default=50_000)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--workers', type=int, default=0)
    add_report_arguments(parser)
    return parser.parse_args(argv)


def save_as_later(cfg: Config, path: Path, iteration: int) -> None:
    """Train one iteration and save a checkpoint of a later one."""

    def measure(loop: MeasuredLoop) -> None:
        loop.iteration()
        loop._iter = iteration
        loop.runner.save_checkpoint(
            str(path.parent), path.name, by_epoch=False
        )

    run_measured(cfg, measure)


def first_iteration(
    cfg: Config, kind: type[MeasuredLoop], checkpoint: Path | None = None
) -> list[str]:
    """Build everything, resume, and train one iteration.

    Returns:
        list[str]: Unlabelled images of the iteration.
    """
    cfg = cfg.copy()
    if checkpoint is not None:
        cfg.resume, cfg.load_from = True, str(checkpoint)
    images: list[str] = []

    def measure(loop: MeasuredLoop) -> None:
        batch = next(loop.dataloader_iterator)
        for part in batch['unlabelled']:
            images.extend(s.img_path for s in part['data_samples'])
        loop.run_iter(batch)

    run_measured(cfg, measure, kind)
    return images


def seconds_of_a_batch(cfg: Config, report: Report) -> float:
    """Time to load a batch; stock mmengine reloads every batch on resume."""
    found: list[float] = []

    def measure(loop: MeasuredLoop) -> None:
        for _ in range(5):
            call = loop.dataloader_iterator.__next__
            found.append(stopwatch(call, report.device)[0])

    run_measured(cfg, measure)
    return sorted(found)[len(found) // 2]


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    report = Report('From the start to the first iteration', args.device)
    with tempfile.TemporaryDirectory() as folder:
        cfg, source = load_training(args.config, Path(folder))
        report.note(f'{args.config}, reading {source}.')
        cfg.train_dataloader.num_workers = args.workers
        cfg.train_dataloader.persistent_workers = args.workers > 0
        path = Path(folder) / 'later.pth'
        save_as_later(cfg, path, args.iteration)
        images = [
            first_iteration(cfg, kind, path)
            for kind in (MeasuredLoop, ForkedLoop)
        ]
        if images[0] != images[1]:
            raise RuntimeError(
                'the two ways of resuming read different images: '
                f'{images[0]} and {images[1]}'
            )
        sides = {
            'fresh': lambda: first_iteration(cfg, MeasuredLoop),
            'resumed': lambda: first_iteration(cfg, MeasuredLoop, path),
            'resumed as the fork does': lambda: first_iteration(
                cfg, ForkedLoop, path
            ),
        }
        times = alternate(sides, args.rounds, device=args.device)
        replay = seconds_of_a_batch(cfg, report) * args.iteration
    fresh = times['fresh']
    report.table(
        f'Resumed at iteration {args.iteration}',
        [
            dict(
                side=name,
                ms=1000 * timing.median(),
                cpu_ms=1000 * timing.median('cpu'),
                over_fresh=timing.over(fresh),
                over_fresh_cpu=timing.over(fresh, 'cpu'),
            )
            for name, timing in times.items()
        ],
    )
    report.note(
        'Reading all batches again, as stock loops of mmengine do, would '
        f'take {replay / 60:.0f} more minutes here.'
    )
    for name, timing in list(times.items())[1:]:
        for clock in ('wall', 'cpu'):
            report.target(
                f'{name} over fresh, {clock} clock',
                timing.over(fresh, clock),
                at_most=LIMIT,
            )
    report.finish(args.out)


if __name__ == '__main__':
    main()
