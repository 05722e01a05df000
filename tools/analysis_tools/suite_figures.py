r"""Figures of the results that tools/benchmarks/suite.py wrote.

Scores over the labelled share, gains over the suite's baseline, scores of the
methods on one split, and, for runs with PseudoLabelMonitorHook, the pseudo
labels' mIoU (where it had the masks of the unlabelled images) and the coupling
over the iterations::

    python tools/analysis_tools/suite_figures.py \
        work_dirs/suites/camvid_cpu --split 1-8 --out docs/figures
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rml_mmseg.experiments.suites import (
    plot_curves,
    plot_gains,
    plot_ladder,
    plot_shares,
    save_figure,
    sum_up,
)

# Name of the curve in the records of the runs, factor, and label.
CURVES = {
    'pseudo_labels': ('labels', 100.0, 'mIoU of the pseudo labels (%)'),
    'coupling': ('coupling', 1.0, 'Total variation of two learners'),
}
FIGURES = ('ladder', 'shares', 'gains', *CURVES)
# Data that figures need and that not all suites have.
NEEDED = {
    'shares': 'scores of several splits',
    'gains': "scores of the suite's baseline and of other methods on one "
    'split',
    'pseudo_labels': 'runs on the split with PseudoLabelMonitorHook and masks '
    'of the unlabelled images',
    'coupling': 'runs of two learners on the split with '
    'PseudoLabelMonitorHook',
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('suite', type=Path, help='folder with results.json')
    parser.add_argument(
        '--out', type=Path, help="folder for figures; default: the suite's"
    )
    parser.add_argument(
        '--split',
        help='for ladder, pseudo_labels and coupling; default: the first one',
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        help='only these, in this order; default: all of the results',
    )
    parser.add_argument(
        '--seeds',
        type=int,
        nargs='+',
        help='only these, so that means are over the same seeds while '
        'runs are missing; default: all of the results',
    )
    parser.add_argument(
        '--figures',
        nargs='+',
        choices=FIGURES,
        help='only these; default: all with data',
    )
    parser.add_argument(
        '--checkpoint',
        choices=('last', 'best'),
        default='last',
        help='checkpoint whose test scores to show; default: %(default)s',
    )
    parser.add_argument(
        '--format', choices=('png', 'svg', 'pdf'), default='png'
    )
    args = parser.parse_args(argv)
    args.out = args.out or args.suite
    return args


def choose_rows(rows: list[dict], methods: Sequence[str] | None) -> list[dict]:
    """Rows of the given methods, in their order.

    Raises:
        ValueError: If a method has no row.
    """
    if methods is None:
        return rows
    known = list(dict.fromkeys(row['method'] for row in rows))
    for method in methods:
        if method not in known:
            raise ValueError(f'--methods {method} is not one of {known}')
    return [row for m in methods for row in rows if row['method'] == m]


def choose_seeds(rows: list[dict], seeds: Sequence[int] | None) -> list[dict]:
    """The rows, reduced to the given seeds.

    Raises:
        ValueError: If there is no run of a seed.
    """
    if seeds is None:
        return rows
    known = sorted({run['seed'] for row in rows for run in row['runs']})
    for seed in seeds:
        if seed not in known:
            raise ValueError(f'--seeds {seed} is not one of {known}')
    chosen = []
    for row in rows:
        runs = [run for run in row['runs'] if run['seed'] in seeds]
        chosen.append({**row, 'runs': runs})
        sum_up(chosen[-1])
    return chosen


def read_curves(
    rows: Sequence[dict], name: str, factor: float = 1.0
) -> dict[str, list[dict[int, float]]]:
    """Curves of all runs that have one, by title of the method.

    Args:
        rows (Sequence[dict]): Rows of one split.
        name (str): Name of the curve in the records of the runs.
        factor (float): Factor to multiply values by. Defaults to 1.
    """
    curves: dict[str, list[dict[int, float]]] = {}
    for row in rows:
        for run in row['runs']:
            curve = run.get('curves', {}).get(name, {})
            if curve:
                scaled = {int(k): factor * value for k, value in curve.items()}
                curves.setdefault(row['title'], []).append(scaled)
    return curves


def say_splits_without_gains(
    rows: Sequence[dict], baseline: str | None
) -> None:
    """Say on stderr for which splits there are no baseline scores."""
    with_base = {
        row['split']
        for row in rows
        if row['method'] == baseline and row['summary']
    }
    others = [row['split'] for row in rows if row['method'] != baseline]
    for split in dict.fromkeys(others):
        if split not in with_base:
            print(
                f'suite_figures: no gains on split {split!r}, as the '
                f'baseline {baseline!r} has no scores there',
                file=sys.stderr,
            )


def draw(args: argparse.Namespace) -> list[Path]:
    """Draw what there is data for.

    Returns:
        list[Path]: The files.

    Raises:
        ValueError: If there is no such split, method or seed, no data for a
            figure that was asked for, or if that is ``shares`` and splits
            are not named by a share or number of labelled images.
    """
    results = json.loads((args.suite / 'results.json').read_text('utf-8'))
    rows = choose_seeds(choose_rows(results['rows'], args.methods), args.seeds)
    splits = list(dict.fromkeys(row['split'] for row in rows))
    split = splits[0] if args.split is None and splits else args.split
    if split not in splits:
        raise ValueError(f'--split {split} is not one of {splits}')
    chosen = [row for row in rows if row['split'] == split]
    best = 'best_' if args.checkpoint == 'best' else ''
    titles = list(dict.fromkeys(row['title'] for row in rows))
    files = []
    baseline = results.get('baseline')
    for name in args.figures or FIGURES:
        if name in CURVES:
            curve, factor, label = CURVES[name]
            curves = read_curves(chosen, curve, factor)
            figure = plot_curves(curves, label, titles) if curves else None
        elif name == 'ladder':
            figure = plot_ladder(chosen, f'{best}scores')
        elif name == 'gains':
            say_splits_without_gains(rows, baseline)
            figure = plot_gains(rows, baseline, f'{best}scores')
        else:
            figure = None
            if len(splits) > 1:
                try:
                    figure = plot_shares(rows, f'{best}summary', baseline)
                except ValueError as error:
                    # Others are still drawn, unless this one was asked for.
                    if args.figures:
                        raise
                    print(f'suite_figures: {error}', file=sys.stderr)
        if figure is not None:
            files.append(args.out / f'{args.suite.name}_{name}.{args.format}')
            save_figure(figure, files[-1])
        elif args.figures:
            raise ValueError(
                f'--figures {name} needs {NEEDED[name]}, and {args.suite} has '
                'none'
            )
    return files


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status."""
    try:
        for path in draw(parse_args(argv)):
            print(path)
    except (FileNotFoundError, ValueError) as error:
        print(f'suite_figures: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
