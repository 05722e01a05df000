"""Print parameters and operations of every network of a config.

For a mutual model these are the students, which gradients train, and the
teachers, which follow them; the config says which one is deployed. Neither
checkpoints nor data are read.
"""

from __future__ import annotations

import argparse

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from prettytable import PrettyTable

from rml_mmseg.engine.command_line import overridden_config
from rml_mmseg.engine.config_files import add_cfg_options
from rml_mmseg.models.summary import NetworkSummary, summarise_networks

DEFAULT_SIZE = (512, 512)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--shape',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help='image size in pixels; default: that of the training',
    )
    add_cfg_options(parser)
    return parser.parse_args(argv)


def image_size(cfg: Config, shape: list[int] | None) -> tuple[int, int]:
    """Requested size, or the size that the model is trained on."""
    preprocessor = cfg.model.get('data_preprocessor') or {}
    height, width = shape or preprocessor.get('size') or DEFAULT_SIZE
    return int(height), int(width)


def table(networks: list[NetworkSummary]) -> str:
    """Format a row for every network, and one for all that training holds."""
    rows = PrettyTable(
        ['network', 'made of', 'parameters, M', 'trained, M', 'GFLOPs', 'role']
    )
    rows.align = 'r'
    for name in ('network', 'made of', 'role'):
        rows.align[name] = 'l'
    for item in networks:
        rows.add_row(
            [
                item.name,
                item.kind,
                f'{item.parameters / 1e6:.2f}',
                f'{item.trained / 1e6:.2f}',
                f'{item.flops / 1e9:.2f}',
                item.role,
            ]
        )
    if len(networks) > 1:
        total = sum(item.parameters for item in networks)
        trained = sum(item.trained for item in networks)
        rows.add_row(
            ['all', '', f'{total / 1e6:.2f}', f'{trained / 1e6:.2f}', '', '']
        )
    return rows.get_string()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    try:
        cfg = overridden_config(args.config, args.cfg_options)
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        model = MODELS.build(cfg.model)
        size = image_size(cfg, args.shape)
        networks = summarise_networks(model, size)
    except Exception as error:
        # Configs and networks can raise anything.
        raise SystemExit(f'error: {args.config}: {error}') from error
    print(table(networks))
    print(
        f'One image of {size[0]}x{size[1]}, without resizing the logits. '
        'A multiplication and an addition count as two operations.'
    )


if __name__ == '__main__':
    main()
