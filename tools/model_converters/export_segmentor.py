"""Write one learner of a trained model as a plain mmseg model.

The config and the checkpoint run with stock mmseg, its tools/test.py and
`init_model`, without this package. Before they get their names they are
loaded strictly in a process that cannot import it, and their predictions are
compared with those of the learner inside the trained model. If anything is
wrong, nothing is left behind.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from mmseg.registry import DATASETS, MODELS
from mmseg.structures import SegDataSample

from rml_mmseg import compat
from rml_mmseg.datasets.data_root import check_data_roots
from rml_mmseg.engine.checks.explained_errors import explained_errors
from rml_mmseg.engine.checks.plain_errors import plain_errors
from rml_mmseg.engine.command_line import overridden_config
from rml_mmseg.engine.config_files import add_cfg_options
from rml_mmseg.models.export import (
    check_learner,
    export_config,
    learner_state,
)
from rml_mmseg.models.exported_imports import PACKAGE, plugin_types
from rml_mmseg.semi_config import input_channels
from rml_mmseg.version import __version__

CHECKER = Path(__file__).resolve().with_name('run_exported.py')
Predictions = list[tuple[torch.Tensor, torch.Tensor]]


class ExportError(RuntimeError):
    """What was written is not what was trained."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', type=Path, help='config of the training')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument(
        '--learner',
        help='students.{i} or teachers.{i}; by default the deployed one, '
        'model.test_cfg.predict_on',
    )
    parser.add_argument(
        '--out', type=Path, required=True, help='folder to write to'
    )
    add_cfg_options(parser)
    return parser.parse_args(argv)


def plain_meta(value: Any) -> Any:
    """Meta information in plain types only, which any torch loads safely."""
    if isinstance(value, dict):
        return {str(key): plain_meta(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_meta(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    # NumPy numbers and arrays.
    return value.tolist() if hasattr(value, 'tolist') else str(value)


def build_checkpoint(
    loaded: dict, learner: str, plain: Config, args: argparse.Namespace
) -> dict[str, Any]:
    """The checkpoint of the learner, with its provenance."""
    meta = loaded.get('meta') or {}
    digest = hashlib.sha256()
    if os.path.isfile(args.checkpoint):
        digest.update(Path(args.checkpoint).read_bytes())
    dataset_meta = meta.get('dataset_meta')
    for loader in ('val_dataloader', 'test_dataloader'):
        dataset = plain.get(loader, {}).get('dataset', {})
        dataset_meta = dataset_meta or dataset.get('metainfo')
    return dict(
        state_dict=learner_state(loaded['state_dict'], learner),
        meta=dict(
            dataset_meta=plain_meta(dataset_meta or {}),
            cfg=plain.pretty_text,
            provenance=dict(
                rml_mmseg=__version__,
                config=args.config.name,
                checkpoint=os.path.basename(args.checkpoint),
                checkpoint_sha256=digest.hexdigest(),
                learner=learner,
                iteration=plain_meta(meta.get('iter')),
                seed=plain_meta(meta.get('seed')),
            ),
        ),
    )


def loader_with_data(cfg: Config) -> str | None:
    """The first of the validation and test loaders whose data is there."""
    for loader in ('val_dataloader', 'test_dataloader'):
        if cfg.get(loader) is None:
            continue
        try:
            check_data_roots(cfg, (loader,))
        except FileNotFoundError:
            continue
        return loader
    return None


def random_image(cfg: Config) -> torch.Tensor:
    """A seeded image (C, H, W) of the size that the model was trained on."""
    size = cfg.model.data_preprocessor.get('size') or (128, 128)
    generator = torch.Generator().manual_seed(0)
    return torch.randint(
        0,
        256,
        (input_channels(cfg), *size),
        generator=generator,
        dtype=torch.uint8,
    )


@torch.no_grad()
def predict_inside(
    cfg: Config,
    loaded: dict,
    learner: str,
    image: torch.Tensor,
    loader: str | None,
) -> Predictions:
    """Logits and labels of the learner inside the trained model.

    Raises:
        ExportError: If the checkpoint does not fit the config.
    """
    model = MODELS.build(cfg.model)
    try:
        found = model.load_state_dict(loaded['state_dict'], strict=False)
    except RuntimeError as error:
        # A line for each tensor that has another shape, after a title.
        lines = str(error).splitlines()[1:]
        own = [line for line in lines if f'{learner}.' in line] or lines
        raise ExportError(
            'the checkpoint does not fit the config; use the config of the '
            f'training. The first of {len(lines)} mismatches: '
            f'{own[0].strip()}'
        ) from error
    wrong = [
        key
        for key in (*found.missing_keys, *found.unexpected_keys)
        if key.startswith(f'{learner}.')
    ]
    if wrong:
        raise ExportError(
            f'the checkpoint and the config differ in {len(wrong)} tensors '
            f'of {learner}, such as {wrong[0]!r}: use the config of the '
            'training'
        )
    model.predict_on, model.score = learner, ()
    # Another memory layout has other rounding errors.
    model.eval().to(memory_format=torch.contiguous_format)
    # Without a data sample, stock padding for a test fails.
    size = tuple(image.shape[-2:])
    sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
    batches: list[dict] = [dict(inputs=[image], data_samples=[sample])]
    if loader is not None:
        item = DATASETS.build(cfg[loader].dataset)[0]
        batches.append({key: [value] for key, value in item.items()})
    results = [model.test_step(batch)[0] for batch in batches]
    return [(r.seg_logits.data, r.pred_sem_seg.data) for r in results]


def predict_outside(
    config: Path, checkpoint: Path, image: torch.Tensor, loader: str | None
) -> tuple[Predictions, bool]:
    """Logits and labels of the exported model, in a process of its own.

    Returns:
        tuple: Predictions, and whether that process needed workarounds.

    Raises:
        ExportError: If the process fails.
    """
    folder = config.parent
    torch.save(image, folder / 'image.pt')
    command = [sys.executable, str(CHECKER), str(config), str(checkpoint)]
    command += [str(folder / 'image.pt'), str(folder / 'predictions.pt')]
    command += ['--workarounds', str(compat.__file__)]
    if loader is not None:
        command += ['--data', loader]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ExportError(
            'the exported model does not load and run without this '
            f'package:\n{done.stderr.strip()}'
        )
    predictions = torch.load(folder / 'predictions.pt', weights_only=True)
    return predictions, 'workarounds were needed' in done.stdout


def compare(inside: Predictions, outside: Predictions) -> float:
    """Largest difference of the logits.

    Raises:
        ExportError: If the predictions are not equal.
    """
    if len(inside) != len(outside):
        raise ExportError(
            f'the exported model made {len(outside)} predictions instead of '
            f'{len(inside)}'
        )
    largest = 0.0
    names = ('a random image', 'a validation image')
    for name, mine, other in zip(names, inside, outside):
        if mine[0].shape != other[0].shape:
            raise ExportError(
                f'on {name} the exported model predicts the shape '
                f'{tuple(other[0].shape)}, the trained one '
                f'{tuple(mine[0].shape)}'
            )
        close = torch.allclose(mine[0], other[0], rtol=1e-4, atol=1e-4)
        if not close or not torch.equal(mine[1], other[1]):
            share = (mine[1] != other[1]).float().mean().item()
            raise ExportError(
                f'on {name} the exported model labels {share:.2%} of the '
                'pixels differently from the trained learner'
            )
        largest = max(largest, (mine[0] - other[0]).abs().max().item())
    return largest


def export(args: argparse.Namespace) -> list[str]:
    """Write and check config and checkpoint, and only then name them.

    Returns:
        list[str]: What to tell the user.
    """
    cfg = overridden_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    learner = check_learner(cfg, args.learner)
    plain = export_config(cfg, learner)
    with explained_errors(cfg):
        loaded = CheckpointLoader.load_checkpoint(args.checkpoint, 'cpu')
    if 'state_dict' not in loaded:
        raise ValueError(f'{args.checkpoint} holds no state_dict')
    checkpoint = build_checkpoint(loaded, learner, plain, args)
    stem = f'{args.config.stem}_{learner.replace(".", "_")}'
    # Files are renamed at the end, so they must be on the same disk.
    near = next(p for p in args.out.resolve().parents if p.is_dir())
    with tempfile.TemporaryDirectory(dir=near, prefix=f'.{stem}-') as folder:
        names = (f'{stem}.py', f'{stem}.pth')
        config_file, checkpoint_file = (Path(folder) / n for n in names)
        plain.dump(config_file)
        torch.save(checkpoint, checkpoint_file)
        image, loader = random_image(plain), loader_with_data(plain)
        inside = predict_inside(cfg, loaded, learner, image, loader)
        outside, patched = predict_outside(
            config_file, checkpoint_file, image, loader
        )
        difference = compare(inside, outside)
        args.out.mkdir(parents=True, exist_ok=True)
        for file in (checkpoint_file, config_file):
            os.replace(file, args.out / file.name)
    lines = [f'{learner} as a plain mmseg model, loaded strictly and checked']
    imports = plain.get('custom_imports', {}).get('imports', [])
    if PACKAGE in imports:
        own = [name for name in imports if name != PACKAGE]
        ours = plugin_types(plain.to_dict()) or own
        lines.append(
            f'It needs rml_mmseg for {", ".join(ours)}, so its config '
            'imports the package: install it where the network will run'
        )
    else:
        lines.append('It ran in a process that cannot import rml_mmseg')
    if patched:
        lines.append(
            'Stock mmseg cannot be imported here, so the check ran the '
            'workarounds in the file rml_mmseg/compat.py first'
        )
    seen = 'a random and a validation image' if loader else 'a random image'
    if loader is None:
        lines.append(
            'The data of the config is missing, so no validation image was '
            'checked'
        )
    lines.append(
        f'Equal predictions on {seen}, logits within {difference:.1e}'
    )
    lines += [f'Config:     {args.out / names[0]}']
    lines += [f'Checkpoint: {args.out / names[1]}']
    origin = checkpoint['meta']['provenance']
    return [*lines, f'Provenance: {json.dumps(origin)}']


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
