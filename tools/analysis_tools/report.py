"""Make one HTML page of a finished run, or compare several.

The page needs no network and no other file. It shows scores, curves, IoU by
class against a baseline, the panels of SemiSegVisualizationHook, the hardest
images of ImageScoresHook and the config. Of several runs, those of one config,
or of one method and split of a suite, are treated as seeds of one experiment
and summed up by mean and deviation.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import rml_mmseg  # noqa: F401  (makes mmseg importable)
from rml_mmseg.experiments.report import (
    Run,
    compare_groups,
    has_scalars,
    read_run,
    render_page,
)

TEMPLATE = Path(__file__).resolve().with_name('report.html.jinja')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'work_dirs',
        type=Path,
        nargs='+',
        metavar='WORK_DIR',
        help='work_dir of a training',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('report.html'),
        help='file to write; default: %(default)s',
    )
    parser.add_argument(
        '--baseline',
        type=Path,
        metavar='WORK_DIR',
        help='run to compare the others with; default: the first run '
        'that used no unlabelled images',
    )
    parser.add_argument(
        '--title', default='Training report', help='title of the page'
    )
    parser.add_argument(
        '--panels',
        type=int,
        default=6,
        help='largest number of panel pictures per run; default: %(default)s',
    )
    parser.add_argument(
        '--metric',
        default='mIoU',
        help='score to show, a mean from iou_metrics such as mDice; '
        'default: %(default)s',
    )
    return parser.parse_args(argv)


def unique_names(folders: list[Path]) -> list[str]:
    """Names of folders, with as much of the path as tells them apart."""
    parts = [folder.resolve().parts for folder in folders]
    depth = 1
    while depth < max(map(len, parts)):
        names = ['/'.join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            return names
        depth += 1
    return ['/'.join(part[-depth:]) for part in parts]


def find_folders(args: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    """Work folders with scalars, and those of runs that have none yet.

    Raises:
        FileNotFoundError: If a folder does not exist, or the baseline or
            all of them have no scalars.
        ValueError: If a folder is named twice.
    """
    folders = [folder.resolve() for folder in args.work_dirs]
    baseline = args.baseline.resolve() if args.baseline else None
    if baseline is not None and baseline not in folders:
        folders.insert(0, baseline)
    twice = {f for f in folders if folders.count(f) > 1}
    if twice:
        raise ValueError(f'WORK_DIR names {sorted(map(str, twice))} twice')
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(
                f'{folder} is not a folder: expected the work_dir of a '
                'training'
            )
    begun = [folder for folder in folders if not has_scalars(folder)]
    # Without these there is nothing to show, or nothing to compare with.
    missed = begun if begun == folders else {baseline} & {*begun}
    if missed:
        names = ', '.join(map(str, missed))
        raise FileNotFoundError(
            f'{names} holds no */vis_data/scalars.json: expected one in '
            '--baseline and in some WORK_DIR. A training writes it once it '
            'logs, if vis_backends has a LocalVisBackend'
        )
    return [folder for folder in folders if folder not in begun], begun


def read_runs(
    args: argparse.Namespace, folders: list[Path]
) -> tuple[list[Run], Run | None]:
    """All runs, and which of them is the baseline."""
    names = unique_names(folders)
    runs = [read_run(folder, name) for folder, name in zip(folders, names)]
    if args.baseline is not None:
        return runs, runs[folders.index(args.baseline.resolve())]
    plain = [run for run in runs if not run.is_semi]
    return runs, plain[0] if plain else None


def warn(message: str) -> None:
    """Print a warning that the page shows, too."""
    print(f'warning: {message}', file=sys.stderr)


def main() -> None:
    """Run the tool."""
    args = parse_args()
    try:
        folders, begun = find_folders(args)
        for folder in begun:
            warn(f'{folder} is left out: it has no scalars yet')
        runs, baseline = read_runs(args, folders)
        for group in compare_groups(runs, args.metric, baseline):
            if group.seed_warning:
                warn(group.seed_warning)
        page = render_page(
            runs,
            TEMPLATE,
            baseline,
            args.title,
            args.panels,
            args.metric,
            begun,
        )
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(page, encoding='utf-8')
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    size = args.out.stat().st_size / 1e6
    print(f'{args.out}: {len(runs)} run(s), {size:.1f} MB')


if __name__ == '__main__':
    main()
