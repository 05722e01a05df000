"""Panels as one picture."""

from collections.abc import Mapping, Sequence
from typing import Optional

import numpy as np

from .panel_grid import Panel
from .plot_settings import PLAIN_TEXT, with_settings

CELL = 2.4
"""Width of a panel, inches."""
DPI = 100
# Widths in the legend, inches: a patch with its margins, and a letter.
PATCH, LETTER = 0.55, 0.065


@with_settings(PLAIN_TEXT)
def draw_panels(
    rows: Sequence[Sequence[Optional[Panel]]],
    legend: Mapping[str, Sequence[int]],
    title: str = '',
) -> np.ndarray:
    """Draw a grid of panels with their titles and a legend.

    Args:
        rows (Sequence): Panels, None for an empty place.
        legend (Mapping[str, Sequence[int]]): Colours (RGB in [0, 255]) by
            name.
        title (str): Title of the picture. Defaults to ''.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB.
    """
    # Only when something is drawn: it takes long to import.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    columns = len(rows[0])
    shown = [panel for row in rows for panel in row if panel]
    height, width = shown[0].picture.shape[:2]
    longest = max(map(len, legend), default=0)
    names = max(1, int(columns * CELL / (PATCH + LETTER * longest)))
    lines = -(-len(legend) // names)
    cell = CELL * height / width + 0.3
    size = (columns * CELL, len(rows) * cell + 0.25 * lines + 0.3)
    figure = Figure(figsize=size, dpi=DPI, layout='constrained')
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for place, panel in zip(axes.flat, [p for row in rows for p in row]):
        if panel is None:
            place.set_axis_off()
            continue
        # The frame tells a white panel from an empty place.
        place.set(xticks=[], yticks=[])
        place.spines[:].set(color='0.7', linewidth=0.6)
        place.imshow(panel.picture, interpolation='nearest')
        place.set_title(panel.title, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=10)
    if legend:
        patches = [
            Patch(
                facecolor='#{:02x}{:02x}{:02x}'.format(*colour),
                edgecolor='0.6',
                label=name,
            )
            for name, colour in legend.items()
        ]
        figure.legend(
            handles=patches,
            loc='outside lower center',
            ncols=min(names, len(patches)),
            fontsize=8,
            frameon=False,
        )
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
