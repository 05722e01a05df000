"""SVG plots that take the text colour of the page they are in."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from markupsafe import Markup

from rml_mmseg.visualization.plot_settings import PLAIN_TEXT, with_settings

from ..scalars import Curve, spread

INK = '#010203'
"""Stands for the page's own text colour; no plot uses it otherwise."""
COLOURS = (
    *('#2f7ed8', '#e8710a', '#2ca25f', '#d64550', '#8e6bbf'),
    *('#a0703c', '#d977b8', '#7f8c8d', '#9aa51c', '#17a2b8'),
)
"""Colours that can be told apart on white and on near black."""
SIZE = (4.6, 3.0)
POINTS = 400
"""Most points of a curve."""
SETTINGS: Any = {
    # Keep text as text, for the page's font and small files.
    'svg.fonttype': 'none',
    # The same plot gets the same ids and so the same file.
    'svg.hashsalt': 'report',
    **PLAIN_TEXT,
    'font.size': 9,
    'legend.fontsize': 8,
    **{f'{part}.color': INK for part in ('text', 'xtick', 'ytick', 'grid')},
    'axes.edgecolor': INK,
    'axes.labelcolor': INK,
    'axes.facecolor': 'none',
    'axes.spines.top': False,
    'axes.spines.right': False,
    'figure.facecolor': 'none',
}


@with_settings(SETTINGS)
def plot_curves(
    curves: Mapping[str, Curve],
    title: str,
    unit: str = '',
    dashed: Sequence[str] = (),
) -> Optional[Markup]:
    """Plot curves over the iterations.

    Args:
        curves (Mapping[str, Curve]): Curves by name in the legend.
        title (str): Title.
        unit (str): Label of the y axis. Defaults to none.
        dashed (Sequence[str]): Names to draw dashed, in the colour of the
            curve before. Defaults to none.

    Returns:
        Markup or None: SVG; None if there is no curve.
    """
    curves = {name: curve for name, curve in curves.items() if curve}
    if not curves:
        return None
    figure, axes = _figure(SIZE)
    colour = -1
    for name, curve in curves.items():
        colour += name not in dashed
        steps, values = zip(*spread(curve, POINTS))
        axes.plot(
            steps,
            values,
            '--' if name in dashed else '-',
            label=_label(name),
            color=COLOURS[max(colour, 0) % len(COLOURS)],
            linewidth=1.4,
            marker='.' if len(curve) < 15 else None,
        )
    axes.set_title(title, fontsize=10)
    axes.set_xlabel('iteration')
    axes.set_ylabel(unit)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.2)
    if len(curves) > 1:
        columns = 2 if max(map(len, curves)) < 24 else 1
        figure.legend(loc='outside lower center', ncols=columns, frameon=False)
        rows = -(-len(curves) // columns)
        figure.set_figheight(SIZE[1] + 0.19 * rows)
    return _svg(figure, title)


@with_settings(SETTINGS)
def plot_classes(
    scores: Mapping[str, Mapping[str, float]], title: str
) -> Optional[Markup]:
    """Plot the score of every class as bars, one colour per run.

    Args:
        scores (Mapping): Percent, by run, then by class.
        title (str): Title.

    Returns:
        Markup or None: SVG; None if there is no score.
    """
    scores = {name: own for name, own in scores.items() if own}
    if not scores:
        return None
    # Runs may have different classes.
    classes = list(dict.fromkeys(c for own in scores.values() for c in own))
    height = 0.24 * len(classes) * max(1.2, 0.6 * len(scores)) + 1.0
    figure, axes = _figure((SIZE[0], height))
    thick = 0.8 / len(scores)
    for i, (name, own) in enumerate(scores.items()):
        places = [k + (i + 0.5) * thick - 0.4 for k in range(len(classes))]
        axes.barh(
            places,
            [own.get(c, 0.0) for c in classes],
            thick,
            label=_label(name),
            color=COLOURS[i % len(COLOURS)],
        )
    axes.set_yticks(range(len(classes)), [_label(c, 22) for c in classes])
    axes.set_ylim(len(classes) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel('%')
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.2, axis='x')
    if len(scores) > 1:
        figure.legend(loc='outside lower center', frameon=False)
    return _svg(figure, title)


def _label(name: str, most: int = 44) -> str:
    """Shorten a name; matplotlib would hide one that starts with '_'."""
    name = ' '.join(name.split())
    name = name if len(name) <= most else f'{name[: most - 1]}…'
    return f' {name}' if name.startswith('_') else name


def _figure(size: tuple[float, float]) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout='constrained')
    return figure, figure.subplots()


def _svg(figure: Any, title: str) -> Markup:
    """Render only the SVG element, with a title for screen readers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format='svg', metadata={'Date': None})
    text = buffer.getvalue()
    text = text[text.index('<svg') :].replace(INK, 'currentColor')
    text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.DOTALL)
    # Drop the size in points and unused namespaces.
    text = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>',
        lambda match: (
            f'<svg {match[1]} role="img" '
            'xmlns="http://www.w3.org/2000/svg" '
            'xmlns:xlink="http://www.w3.org/1999/xlink">'
            f'<title>{Markup.escape(title)}</title>'
        ),
        text,
        count=1,
    )
    return Markup(text)
