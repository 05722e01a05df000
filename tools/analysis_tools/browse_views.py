"""Draw what a config trains on, before training.

Writes a sheet for every batch: labelled images with their labels and, for a
semi-supervised config, the weak, strong and mixed views of unlabelled images
with what is pasted and what is valid. The views are those of the first
iterations of a run with the same seed.
"""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Iterator
from pathlib import Path

import mmcv
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import MODELS

import rml_mmseg  # noqa: F401  (registers what the config names)
from rml_mmseg.datasets.data_root import check_data_roots
from rml_mmseg.engine.checks.plain_errors import plain_errors
from rml_mmseg.engine.command_line import overridden_config
from rml_mmseg.engine.config_files import add_cfg_options
from rml_mmseg.visualization import class_colours, draw_panels
from rml_mmseg.visualization.panel_grid import Row
from rml_mmseg.visualization.view_grid import labelled_rows, view_rows


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--out', type=Path, required=True, help='folder for the sheets'
    )
    parser.add_argument(
        '--number',
        type=int,
        default=8,
        help='rows, one per unlabelled image (default: %(default)s)',
    )
    parser.add_argument('--seed', type=int, help="default: the config's, or 0")
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.number < 1:
        parser.error(f'--number must be 1 or more, got {args.number}')
    return args


def batches(
    cfg: Config, seed: int
) -> Iterator[tuple[list[Row], list[str], list]]:
    """Rows of every training batch, class names and their colours."""
    settings = copy.deepcopy(cfg.train_dataloader)
    # Without workers a loader starts at once.
    settings.update(num_workers=0, persistent_workers=False)
    settings.pop('prefetch_factor', None)
    loader = Runner.build_dataloader(settings, seed=seed)
    meta = loader.dataset.metainfo
    names = list(meta.get('classes') or ())
    colours = class_colours(len(names), meta.get('palette'))
    preprocessor = MODELS.build(copy.deepcopy(cfg.model.data_preprocessor))
    base = getattr(preprocessor, 'base', preprocessor)
    learning = cfg.model.get('semi_train_cfg') or {}
    views = learning.get('strong_views', 1)
    for batch in loader:
        data = preprocessor(batch, training=True)
        inputs, samples = data['inputs'], data['data_samples']
        if isinstance(inputs, dict):
            rows = view_rows(inputs, samples, base, colours, views)
        else:
            rows = labelled_rows(inputs, samples, base, colours)
        yield rows, names, colours.tolist()


def run(args: argparse.Namespace) -> list[Path]:
    """Write the sheets.

    Returns:
        list[Path]: The files.

    Raises:
        FileNotFoundError: If the data is not there.
        ValueError: If the config trains nothing.
    """
    cfg = overridden_config(args.config, args.cfg_options)
    for key in ('train_dataloader', 'model'):
        if not cfg.get(key):
            raise ValueError(
                f'{args.config} has no {key}. Give a training config'
            )
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    check_data_roots(cfg, ('train_dataloader',))
    seed = args.seed
    if seed is None:
        seed = (cfg.get('randomness') or {}).get('seed') or 0
    args.out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    left = args.number
    for number, (rows, names, colours) in enumerate(batches(cfg, seed)):
        rows = rows[:left]
        shown = sorted(
            {i for row in rows for panel in row if panel for i in panel.ids}
        )
        legend = {
            names[i] if i < len(names) else str(i): colours[i] for i in shown
        }
        title = f'{os.path.basename(args.config)}, iteration {number}'
        picture = draw_panels(rows, legend, title)
        path = args.out / f'views_{number:03}.png'
        mmcv.imwrite(picture[..., ::-1], str(path))
        written.append(path)
        left -= len(rows)
        if left <= 0:
            break
    return written


def main() -> None:
    """Run the tool; problems end it with a message."""
    args = parse_args()
    try:
        with plain_errors():
            paths = run(args)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    print('\n'.join(map(str, paths)))


if __name__ == '__main__':
    main()
