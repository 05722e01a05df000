"""Pictures of what the learners do."""

from .panel_grid import Panel, panel_grid
from .panel_picture import draw_panels
from .pixels import class_colours, paint_labels, to_rgb

__all__ = [
    'Panel',
    'class_colours',
    'draw_panels',
    'paint_labels',
    'panel_grid',
    'to_rgb',
]
