"""Pictures of what an iteration learns from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from rml_mmseg.setting_checks import check_count
from rml_mmseg.visualization import class_colours, draw_panels, panel_grid
from rml_mmseg.visualization.panel_grid import CHANGES
from rml_mmseg.visualization.pixels import IGNORED, PADDED

from .recording_hook import RecordingHook


@HOOKS.register_module()
class SemiSegVisualizationHook(RecordingHook):
    """Draws every ``interval``-th iteration through ``runner.visualizer``.

    One picture per image, named ``panels_{n}``, goes to every visualisation
    backend of the config: the weak view, each teacher's labels and what
    its rectifier changed, and for each student the mixed view, its label
    and its prediction; also the ground truth, where the dataset has masks
    of unlabelled images for monitoring. Changes are then coloured by
    whether they were right.

    It shows what training computes anyway: no weight and no random number
    depends on it, and an iteration that is not drawn costs nothing.
    Burn-in iterations, which use no unlabelled image, are not drawn.

    Args:
        interval (int): Iterations from one picture to the next. Defaults to
            500.
        images (int): Number of images of the batch to draw. Defaults to 1.

    Raises:
        ValueError: If a setting is below 1.
    """

    def __init__(self, interval: int = 500, images: int = 1) -> None:
        super().__init__(interval)
        check_count(f'{type(self).__name__}.images', images, 1)
        self.images = images

    def due(self, runner: Runner) -> bool:
        """Whether this process draws the current iteration."""
        return super().due(runner) and is_main_process()

    def look(self, runner: Runner, model: Any, record: dict) -> None:
        """Draw the panels of some images."""
        meta = getattr(runner.train_dataloader.dataset, 'metainfo', {})
        names = meta.get('classes') or range(model.num_classes)
        colours = class_colours(model.num_classes, meta.get('palette'))
        step = runner.iter + 1
        for n in range(min(self.images, len(record['weak']))):
            rows = panel_grid(record, model, colours, n)
            legend = self._legend(rows, names, colours, record)
            picture = draw_panels(rows, legend, f'iteration {step}')
            # No slash, as LocalVisBackend makes the name part of a file name.
            runner.visualizer.add_image(f'panels_{n}', picture, step)

    @staticmethod
    def _legend(
        rows: list, names: Sequence, colours: np.ndarray, record: dict
    ) -> dict[str, Sequence[int]]:
        """Colours that the panels show, by name."""
        panels = [panel for row in rows for panel in row if panel is not None]
        ids = sorted(set().union(*(panel.ids for panel in panels)))
        legend = {str(names[i]): colours[i] for i in ids if i < len(names)}
        if len(names) <= max(ids, default=0):
            legend['ignored'] = IGNORED
        if not record['valid'].all():
            legend['padding'] = PADDED
        if 'masks' in record and any('changed' in p.title for p in panels):
            legend.update(CHANGES)
        return legend
