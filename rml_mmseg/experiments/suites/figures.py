"""Figures of a suite: scores and monitored scalars."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rml_mmseg.visualization.plot_settings import PLAIN_TEXT, with_settings

from .amounts import labelled_amounts, share_of
from .results import gains
from .suite_run import METRIC

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Figures are as wide as a page, with the legend beside the axes.
SIZE = (7.0, 3.8)
# Height of the row of a method, with a number above its dot, inches.
ROW = 0.32
SETTINGS: Any = {
    'font.size': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.alpha': 0.3,
}
#: Distinct in hue and lightness, so that they differ in greyscale too.
COLOURS = (
    *('#1b6fb5', '#e8710a', '#2ca25f', '#c4314b', '#7b57a8', '#8c613c'),
    *('#d977b8', '#5f6b6d', '#9aa51c', '#17a2b8', '#0b3c5d', '#f2b134'),
)
#: One less than colours, so that a pair recurs only after 132 methods.
MARKERS = 'osD^vP*X<>h'
LINES = ('-', '--')
SMALL = 8
#: Characters in a line of a method's name.
WRAP = 30
# Height of a line of text, width of a number and width of the methods'
# names, inches.
LINE, NUMBER, NAMES = 0.15, 0.4, 2.3
Curves = Mapping[str, Sequence[Mapping[int, float]]]


@with_settings(PLAIN_TEXT)
def plot_shares(
    rows: Sequence[dict],
    summary: str = 'summary',
    ceiling: str | None = None,
) -> Figure:
    """Plot score over labelled share: a line and deviation band per method.

    Args:
        rows (Sequence[dict]): Rows of ``results.json``; those without a
            score are left out.
        summary (str): 'summary', the last checkpoint, or 'best_summary'.
            Defaults to 'summary'.
        ceiling (str, optional): Method whose score with all labels is drawn
            as a horizontal line. Defaults to None.

    Raises:
        ValueError: If no split's name is a share or number of images.
    """
    names = list(dict.fromkeys(row['split'] for row in rows))
    amounts, label = labelled_amounts(names)
    figure, axes = _axes()
    methods: dict[str, dict[float, dict]] = {}
    ticks: dict[float, str] = {}
    for row in rows:
        split, score = row['split'], row[summary].get(METRIC)
        if score is None:
            continue
        if share_of(split) == 1 and row['method'] == ceiling:
            title = _wrapped(f'{row["title"]}, all labels')
            axes.axhline(score['mean'], color='0.4', ls='--', label=title)
        if split in amounts:
            ticks[amounts[split]] = split.replace('-', '/')
            points = methods.setdefault(row['title'], {})
            points[amounts[split]] = score
    titles = list(dict.fromkeys(row['title'] for row in rows))
    for title, points in methods.items():
        number = titles.index(title)
        shares = sorted(points)
        means = [points[share]['mean'] for share in shares]
        stds = [points[share]['std'] or 0.0 for share in shares]
        colour = _colour(number)
        axes.plot(
            shares,
            means,
            label=_wrapped(title),
            marker=_marker(number),
            color=colour,
        )
        low = [mean - std for mean, std in zip(means, stds)]
        high = [mean + std for mean, std in zip(means, stds)]
        axes.fill_between(shares, low, high, alpha=0.12, lw=0, color=colour)
    axes.set_xscale('log')
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.minorticks_off()
    axes.set(xlabel=label, ylabel=f'{METRIC} (%)')
    _legend(figure, axes)
    return figure


@with_settings(PLAIN_TEXT)
def plot_ladder(rows: Sequence[dict], scores: str = 'scores') -> Figure:
    """Plot each method's mean score, its deviation and a dot per seed.

    Args:
        rows (Sequence[dict]): Rows of ``results.json``, one per method;
            those without a score are left out.
        scores (str): 'scores', the last checkpoint, or 'best_scores'.
            Defaults to 'scores'.
    """
    found = {
        row['title']: [
            run[scores][METRIC]
            for run in row['runs']
            if run['status'] == 'finished' and METRIC in run.get(scores, {})
        ]
        for row in rows
    }
    found = {title: values for title, values in found.items() if values}
    figure, axes = _axes(names=list(found))
    _dots(axes, found, '{:.1f}')
    axes.set(xlabel=f'{METRIC} (%)')
    return figure


@with_settings(PLAIN_TEXT)
def plot_gains(
    rows: Sequence[dict], baseline: str | None, scores: str = 'scores'
) -> Figure | None:
    """Plot each method's gain over the baseline, seed by seed.

    Args:
        rows (Sequence[dict]): Rows of ``results.json``; one panel per split.
        baseline (str, optional): Method that others are compared with.
        scores (str): 'scores', the last checkpoint, or 'best_scores'.
            Defaults to 'scores'.

    Returns:
        Figure | None: None if there is nothing to compare.
    """
    bases = {r['split']: r for r in rows if r['method'] == baseline}
    others = [
        r for r in rows if r['split'] in bases and r not in bases.values()
    ]
    found = {
        (row['split'], row['title']): gains(row, bases[row['split']], scores)
        for row in others
    }
    found = {key: values for key, values in found.items() if values}
    # In the order of the suite, whichever methods have a split.
    compared = {split for split, _ in found}
    splits = [split for split in bases if split in compared]
    if not splits:
        return None
    titles = list(dict.fromkeys(title for _, title in found))
    figure, _ = _axes(len(splits), titles)
    for axes, split in zip(figure.axes, splits):
        _dots(axes, {t: found.get((split, t), []) for t in titles}, '{:+.1f}')
        axes.axvline(0, color='0.4', lw=1, zorder=1)
        axes.set_title(split.replace('-', '/'), fontsize='medium')
    # Space for half a number beside the outermost dots.
    width = (SIZE[0] - NAMES) / len(splits)
    side = min(NUMBER / width, 0.4)
    for axes in figure.axes:
        axes.margins(x=side / (1 - 2 * side))
    title = next(iter(bases.values()))['title']
    label = textwrap.fill(f'{METRIC} over {title}, points', 3 * WRAP)
    figure.supxlabel(label, fontsize='medium')
    return figure


def _dots(axes: Axes, found: Mapping[str, Sequence[float]], text: str) -> None:
    """Draw one row per method: a ring per seed, mean and deviation."""
    # Imported only here, as the import takes long.
    from matplotlib.ticker import MaxNLocator

    for place, values in enumerate(found.values()):
        if not values:
            continue
        mean, std = statistics.fmean(values), 0.0
        if len(values) > 1:
            std = statistics.stdev(values)
        rows_of_seeds = [place] * len(values)
        mark: Any = dict(mfc='none', ms=4, zorder=3)
        axes.plot(values, rows_of_seeds, 'o', color='0.45', **mark)
        # A single seed is marked as such and has no deviation.
        several = len(values) > 1
        number = text.format(round(mean, 1) + 0.0).replace(
            '-', '\N{MINUS SIGN}'
        )
        if several:
            axes.errorbar(
                mean, place, xerr=std, fmt='o', capsize=3, color=_colour(0)
            )
        axes.annotate(
            number if several else f'{number} (1)',
            (mean, place),
            xytext=(0, 6),
            textcoords='offset points',
            ha='center',
            fontsize=SMALL,
            bbox=dict(fc='white', ec='none', pad=0.5),
        )
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_yticks(range(len(found)), list(map(_wrapped, found)))
    axes.set_ylim(len(found) - 0.5, -0.75)


@with_settings(PLAIN_TEXT)
def plot_curves(
    curves: Curves, label: str, titles: Sequence[str] = ()
) -> Figure:
    """Plot a scalar over iterations: mean and range of each method's seeds.

    Args:
        curves (dict): By method, for each seed the values by iteration.
        label (str): Name of the scalar.
        titles (Sequence[str]): All methods of several figures, so that each
            has the same colour in all. Defaults to those of the curves.
    """
    figure, axes = _axes()
    titles = list(titles) or list(curves)
    for title, seeds in curves.items():
        # Only common steps: seeds that lag behind must not distort the mean.
        steps = sorted(set.intersection(*(set(seed) for seed in seeds)))
        values = [[seed[step] for seed in seeds] for step in steps]
        number = titles.index(title)
        colour = _colour(number)
        means = [statistics.fmean(at) for at in values]
        style: Any = dict(lw=1.2, ls=_line(number), color=colour)
        # Earlier methods on top: a run must not hide the one it continues.
        order = 3 - number / len(titles)
        name = _wrapped(title)
        axes.plot(steps, means, label=name, zorder=order, **style)
        low, high = [min(at) for at in values], [max(at) for at in values]
        axes.fill_between(steps, low, high, alpha=0.15, lw=0, color=colour)
    axes.set(xlabel='Iterations', ylabel=label)
    _legend(figure, axes)
    return figure


@with_settings({**PLAIN_TEXT, 'svg.hashsalt': 'suite'})
def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure; the same figure gives the same file.

    Args:
        figure (Figure): Figure.
        path (Path): File, `.png`, `.svg` or `.pdf`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata: dict = {'.svg': {'Date': None}, '.pdf': {'CreationDate': None}}
    figure.savefig(path, dpi=150, metadata=metadata.get(path.suffix))


def _wrapped(title: str) -> str:
    """Wrap a method's name, to leave space for the axes."""
    return textwrap.fill(title, WRAP)


@with_settings(SETTINGS)
def _axes(panels: int = 1, names: Sequence[str] = ()) -> tuple[Figure, Any]:
    """Create a figure with its axes, or a row of axes with shared scales.

    With rows for the methods in ``names``, it is as high as they need.
    """
    lines = max((_wrapped(n).count('\n') + 1 for n in names), default=1)
    height = len(names) * max(ROW, LINE * (lines + 1))
    # Imported only here, as the import takes long.
    from matplotlib.figure import Figure

    size = (SIZE[0], max(SIZE[1], height))
    figure = Figure(figsize=size, layout='constrained')
    return figure, figure.subplots(1, panels, sharex=True, sharey=True)


def _legend(figure: Figure, axes: Axes) -> None:
    """Add a legend beside the axes, if there is something to name."""
    if axes.get_legend_handles_labels()[1]:
        figure.legend(
            loc='outside right center', frameon=False, fontsize=SMALL
        )


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _line(number: int) -> str:
    """Line style: solid, then dashed once colours repeat."""
    return LINES[number // len(COLOURS) % len(LINES)]


def _marker(number: int) -> str:
    return MARKERS[number % len(MARKERS)]
