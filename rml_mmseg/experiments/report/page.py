"""The HTML page of a report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rml_mmseg.version import __version__

from .baselines import own_baseline
from .compare import compare_groups
from .figures import plot_curves
from .run import Run
from .sections import run_section


def number(value: Any, digits: int = 2, sign: bool = False) -> str:
    """Format a number to read, or a dash for None."""
    if value is None:
        return '–'
    text = f'{value:+.{digits}f}' if sign else f'{value:.{digits}f}'
    return text.replace('-', '−')


def check_metric(runs: Sequence[Run], metric: str) -> None:
    """Check that a score exists in the runs.

    Raises:
        ValueError: If some run has scores, but none has this one.
    """
    scores = {
        name
        for run in runs
        for name in (*run.val, *run.test)
        if name.startswith('m')
    }
    if scores and metric not in scores:
        raise ValueError(
            f'--metric {metric}: the runs have {", ".join(sorted(scores))}. '
            'For others set iou_metrics of val_evaluator and test_evaluator'
        )


def render_page(
    runs: Sequence[Run],
    template: Path,
    baseline: Optional[Run] = None,
    title: str = 'Training report',
    panels: int = 6,
    metric: str = 'mIoU',
    without_scalars: Sequence[Path] = (),
) -> str:
    """Render runs as one self-contained HTML page.

    All text that comes from runs is escaped.

    Args:
        runs (Sequence[Run]): One or more runs.
        template (Path): Jinja template of the page.
        baseline (Run, optional): One of the runs; the others are compared
            with its config or, in a suite, its method.
        title (str): Title of the page.
        panels (int): Maximum number of panel pictures per run. Defaults to
            6.
        metric (str): Score of mmseg's ``IoUMetric`` to show and compare.
            Defaults to ``'mIoU'``.
        without_scalars (Sequence[Path]): Work folders that are left out
            because nothing was logged there yet.

    Returns:
        str: HTML.

    Raises:
        ValueError: If some run has scores, but none has ``metric``.
    """
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        # Always, not by file suffix: nothing here is plain text.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters['number'] = number
    check_metric(runs, metric)
    groups = compare_groups(runs, metric, baseline)
    baselines = [own_baseline(run, runs, baseline) for run in runs]
    overlay = None
    if len(runs) > 1:
        overlay = plot_curves(
            {run.name: run.val.get(metric, []) for run in runs},
            f'Validation {metric} of the deployed networks',
            '%',
        )
    return environment.get_template(template.name).render(
        title=title,
        version=__version__,
        runs=runs,
        baselines=baselines,
        groups=groups if len(runs) > 1 else [],
        overlay=overlay,
        metric=metric,
        without_scalars=without_scalars,
        sections=[
            run_section(run, other, panels, metric)
            for run, other in zip(runs, baselines)
        ],
    )
