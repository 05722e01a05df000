"""The section of the page about one run."""

from typing import Any, Optional

from markupsafe import Markup

from ..scalars import Curve
from .figures import plot_classes, plot_curves
from .pictures import hard_images, panel_pictures
from .run import Run

MONITOR = 'monitor/'
MONITORED = (
    (
        ('total_variation', 'agreement'),
        'Coupling of the teachers',
        'share',
    ),
    (
        ('mIoU', 'mIoU_raw'),
        'Pseudo-label mIoU (raw: before rectification)',
        'share',
    ),
    (
        ('accuracy', 'accuracy_raw'),
        'Pseudo-label accuracy (raw: before rectification)',
        'share',
    ),
    (('confidence',), 'Confidence of the teachers', ''),
    (('changed', 'kept'), 'Pixels changed by rectification', 'share'),
    (
        ('prior_gap',),
        'Class frequencies: distance to the labels',
        'share',
    ),
    (
        ('starved_classes',),
        'Classes starved in the pseudo labels',
        'classes',
    ),
    (
        ('prototype_drift',),
        'Drift of the prototypes from look to look',
        'distance',
    ),
    (
        ('nearest_prototypes',),
        'Nearest pair of prototypes',
        'distance',
    ),
)
"""Kinds of scalars of ``PseudoLabelMonitorHook`` that are drawn together,
with title and unit."""


def run_section(
    run: Run, baseline: Optional[Run], panels: int, metric: str
) -> dict[str, Any]:
    """Plots, tables and pictures of a run, for the template.

    Args:
        run (Run): The run.
        baseline (Run, optional): Run to compare its classes with.
        panels (int): Maximum number of panel pictures.
        metric (str): Score to show, such as ``'mIoU'``.
    """
    plots = [
        plot_curves(
            {
                key: curve
                for key, curve in run.train.items()
                if 'loss' in key and not key.startswith(MONITOR)
            },
            'Losses',
        ),
        plot_curves(_learners(run, metric), f'Validation {metric}', '%'),
        *_monitor_plots(run),
    ]
    return dict(
        run=run,
        plots=[plot for plot in plots if plot is not None],
        others=_other_plots(run),
        monitored=any(key.startswith(MONITOR) for key in run.train),
        classes=_classes(run, baseline, metric[1:]),
        panels=panel_pictures(run, panels),
        hard=hard_images(run),
        config=run.config.pretty_text if run.config else None,
    )


def _learners(run: Run, metric: str) -> dict[str, Curve]:
    """Validation score of each learner."""
    named = {
        key.rpartition('/')[0]: curve
        for key, curve in run.val.items()
        if key.endswith(f'/{metric}')
    }
    if named:
        return named
    curve = run.val.get(metric)
    return {metric: curve} if curve else {}


def _monitored(run: Run, *kinds: str) -> dict[str, Curve]:
    """Scalars of the monitor, with those of one source adjacent."""
    found = {
        key[len(MONITOR) :]: curve
        for key, curve in run.train.items()
        if key.startswith(MONITOR) and key.rsplit('/', 1)[-1] in kinds
    }

    def place(key: str) -> tuple[str, int]:
        source, _, kind = key.rpartition('/')
        return source, kinds.index(kind)

    return {key: found[key] for key in sorted(found, key=place)}


def _monitor_plots(run: Run) -> list[Optional[Markup]]:
    """Plots of what ``PseudoLabelMonitorHook`` wrote."""
    plots = []
    for kinds, title, unit in MONITORED:
        curves = _monitored(run, *kinds)
        raw = [key for key in curves if key.endswith('_raw')]
        plots.append(plot_curves(curves, title, unit, raw))
    return plots


def _other_plots(run: Run) -> list[Markup]:
    """Plots of scalars that other hooks wrote, one for each.

    Their units are unknown, so no two of them share an axis.
    """
    known = {kind for kinds, *_ in MONITORED for kind in kinds}
    plots = [
        plot_curves({key: curve}, key[len(MONITOR) :])
        for key, curve in sorted(run.train.items())
        if key.startswith(MONITOR) and key.rsplit('/', 1)[-1] not in known
    ]
    return [plot for plot in plots if plot is not None]


def _classes(
    run: Run, baseline: Optional[Run], score: str
) -> Optional[dict[str, Any]]:
    """Score of each class, with the difference to the baseline."""
    for mode in ('test', 'val'):
        own = run.class_scores(mode, score)
        other = baseline.class_scores(mode, score) if baseline else {}
        # Compare scores of the same kind, or show the run alone.
        if own and (other or baseline in (None, run) or mode == 'val'):
            break
    else:
        own, other = run.class_scores('test', score), {}
        mode = 'test'
    if not own:
        return None
    if baseline is run:
        other = {}
    rows = [
        dict(
            name=name,
            own=value,
            other=other.get(name),
            gain=value - other[name] if name in other else None,
        )
        for name, value in own.items()
    ]
    names = {baseline.name: other} if baseline and other else {}
    plot = None
    if len(own) <= 40:
        plot = plot_classes(
            {**names, run.name: own}, f'{score} by class, {mode}'
        )
    return dict(
        score=score,
        mode=mode,
        rows=rows,
        baseline=baseline.name if baseline and other else None,
        plot=plot,
    )
