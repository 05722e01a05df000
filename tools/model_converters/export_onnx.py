"""Write one learner of a trained model, or a plain model, as ONNX.

The graph takes images (N, C, H, W), float32 in [0, 255], BGR as OpenCV reads
them, of one fixed size, and gives logits (N, K, H, W); normalisation is a part
of it. ONNX Runtime and PyTorch run it on random images, and it is written only
if both agree.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from mmseg.registry import MODELS

from rml_mmseg.engine.checks.explained_errors import explained_errors
from rml_mmseg.engine.checks.plain_errors import plain_errors
from rml_mmseg.engine.command_line import overridden_config
from rml_mmseg.engine.config_files import add_cfg_options
from rml_mmseg.models.deployment import DeployedSegmentor
from rml_mmseg.models.export import (
    check_learner,
    export_config,
    learner_state,
)
from rml_mmseg.models.utils.learner_cfg import is_semi
from rml_mmseg.semi_config import deployed_size, input_channels
from rml_mmseg.setting_checks import check_count

NEEDED = ('onnx', 'onnxscript', 'onnxruntime')


class ExportError(RuntimeError):
    """The graph does not do what the network does."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', type=Path, help='config of the model')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument(
        '--learner',
        help='students.{i} or teachers.{i} of a mutual model; by default the '
        'deployed one, model.test_cfg.predict_on',
    )
    parser.add_argument(
        '--out', type=Path, required=True, help='file to write, NAME.onnx'
    )
    parser.add_argument(
        '--shape',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help='image size in pixels; default: the size of a test, from the '
        'Resize of its pipeline or the sliding window, or else the size of '
        'the training',
    )
    parser.add_argument(
        '--batch', type=int, default=1, help='images per batch; default: 1'
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=1e-3,
        help='largest accepted difference of the logits, relative to the '
        'largest logit if that is above 1; default: %(default)s',
    )
    add_cfg_options(parser)
    return parser.parse_args(argv)


def check_packages() -> None:
    """Make sure that the packages for ONNX can be imported.

    Raises:
        ExportError: If one cannot.
    """
    missing = [name for name in NEEDED if not _can_import(name)]
    if missing:
        raise ExportError(
            f'{" and ".join(missing)} cannot be imported: install them with '
            "pip install 'rml_mmseg[onnx]'"
        )


def _can_import(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def load_network(
    args: argparse.Namespace,
) -> tuple[DeployedSegmentor, Config, dict[str, Any]]:
    """Load the network, its plain config, and its origin as metadata.

    Raises:
        ValueError: If the learner is unknown.
        ExportError: If the checkpoint does not fit the config.
    """
    cfg = overridden_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    with explained_errors(cfg):
        loaded = CheckpointLoader.load_checkpoint(args.checkpoint, 'cpu')
    state, learner = loaded.get('state_dict', loaded), 'model'
    if args.learner is not None or is_semi(cfg.model):
        learner = check_learner(cfg, args.learner)
        cfg = export_config(cfg, learner)
        state = learner_state(state, learner)
    network = MODELS.build(cfg.model)
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ExportError(
            'the checkpoint does not fit the config; use the config of the '
            f'training: {error}'
        ) from error
    dataset_meta = (loaded.get('meta') or {}).get('dataset_meta') or {}
    classes = [str(name) for name in dataset_meta.get('classes') or ()]
    origin = dict(
        learner=learner,
        checkpoint=os.path.basename(args.checkpoint),
        classes=json.dumps(classes),
    )
    return DeployedSegmentor(network), cfg, origin


def write_graph(
    network: DeployedSegmentor, images: torch.Tensor, path: Path, origin: dict
) -> None:
    """Export the network, add its origin, and check the file's form."""
    import onnx

    program = torch.onnx.export(
        network,
        (images,),
        input_names=['images'],
        output_names=['logits'],
        dynamo=True,
        verbose=False,
    )
    model = program.model_proto
    for key, value in origin.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)
    onnx.checker.check_model(path)


def compare(
    network: DeployedSegmentor, images: torch.Tensor, path: Path
) -> tuple[float, float, float]:
    """Largest logit difference, largest logit, and share of other labels."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        path, providers=['CPUExecutionProvider']
    )
    (found,) = session.run(None, {'images': images.numpy()})
    with torch.no_grad():
        expected = network(images).numpy()
    if found.shape != expected.shape:
        raise ExportError(
            f'ONNX Runtime gives the shape {found.shape}, PyTorch '
            f'{expected.shape}'
        )
    others = float((found.argmax(1) != expected.argmax(1)).mean())
    difference = float(np.abs(found - expected).max())
    return difference, float(np.abs(expected).max()), others


def export(args: argparse.Namespace) -> list[str]:
    """Write and check the file, and only then give it its name.

    Returns:
        list[str]: What to tell the user.
    """
    check_packages()
    check_count('--batch', args.batch, 1)
    for side in args.shape or ():
        check_count('--shape', side, 1)
    network, cfg, origin = load_network(args)
    size, why = args.shape, '--shape'
    if size is None:
        size, why = deployed_size(cfg)
    generator = torch.Generator().manual_seed(0)
    shape = (args.batch, input_channels(cfg), *size)
    images = torch.rand(shape, generator=generator) * 255
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.out.parent) as folder:
        path = Path(folder) / 'model.onnx'
        with torch.no_grad():
            write_graph(network, images, path, origin)
        difference, largest, others = compare(network, images, path)
        # Also true if the difference is not a number.
        if not difference <= args.tolerance * max(1.0, largest):
            raise ExportError(
                f'logits of ONNX Runtime differ by {difference:.1e} from '
                f'those of PyTorch, and {others:.2%} of the labels differ. '
                f'The largest logit is {largest:.1e}, and --tolerance is '
                f'{args.tolerance:.1e} of it. Nothing was written'
            )
        os.replace(path, args.out)
    lines = [
        f'{args.out}: {origin["learner"]}, images {shape}',
        f'Height and width {size[0]} {size[1]}: {why}',
        f'Largest difference from the logits of PyTorch: {difference:.1e}; '
        f'{others:.2%} of the labels differ',
    ]
    if cfg.model.get('test_cfg', {}).get('mode') == 'slide':
        lines.append(
            'model.test_cfg.mode is slide: the graph is for one window'
        )
    return lines


def main() -> None:
    """Run the tool."""
    args = parse_args()
    try:
        with plain_errors():
            lines = export(args)
    except (ExportError, ValueError, OSError) as error:
        raise SystemExit(f'error: {error}') from error
    print('\n'.join(lines))


if __name__ == '__main__':
    main()
