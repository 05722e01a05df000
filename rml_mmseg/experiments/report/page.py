"""The page itself."""

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
    """A number to read, or a dash for none."""
    if value is None:
        return '–'
    text = f'{value:+.{digits}f}' if sign else f'{value:.{digits}f}'
    return text.replace('-', '−')


def check_metric(runs: Sequence[Run], metric: str) -> None:
    """Refuse a score that runs were scored by others than.

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
            f'--metric {metric}: the runs have {", ".join(sorted(scores))}; '
            'for others set iou_metrics of val_evaluator and test_evaluator'
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
    """Runs as one HTML page that needs nothing else.

    All text that comes from runs is escaped.

    Args:
        runs (Sequence[Run]): One or more.
        template (Path): Jinja template of the page.
        baseline (Run, optional): One of the runs; its config, or the method
            of a suite, is what the others are compared with.
        title (str): Title of the page.
        panels (int): Most pictures of panels a run.
        metric (str): Score to show and compare, one of mmseg's ``IoUMetric``.
        without_scalars (Sequence[Path]): Work folders that are left out,
            since nothing was logged there yet.

    Returns:
        str: HTML.

    Raises:
        ValueError: If no run has such a score.
    """
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        # By name, and not by suffix: nothing here is ever plain text.
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
