r"""Make a semi-supervised config out of one or two stock ones of mmseg.

Examples::

    # two PSPNets teach each other, with 372 labels of Cityscapes
    python tools/misc/make_semi_config.py \
        pspnet_r50-d8_4xb2-40k_cityscapes-512x1024 \
        --labelled labelled.txt \
        --unlabelled data/cityscapes/leftImg8bit/train --out semi.py

    # PSPNet and SegFormer, on a data set of image_folder.py
    python tools/misc/make_semi_config.py \
        pspnet_r50-d8_4xb4-80k_ade20k-512x512 \
        segformer_mit-b0_8xb2-160k_ade20k-512x512 \
        --dataset data/mine/dataset_config.py --iters 10000 --out semi.py
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS

import rml_mmseg  # noqa: F401  (registers what the config names)
from rml_mmseg.engine.checks.config import check_options
from rml_mmseg.semi_config import (
    SemiData,
    SemiPlan,
    compose,
    data_of_config,
    data_of_lists,
    load_stock,
    size_notes,
    training_length,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        'stock',
        nargs='+',
        help='one or two configs: files, or names of configs of mmseg',
    )
    add('--labelled', type=Path, help='list of the labelled images')
    add('--unlabelled', type=Path, help='folder of unlabelled images')
    add('--data-root', type=Path, help="folder of the stock config's data")
    add(
        '--dataset',
        type=Path,
        help='dataset_config.py of image_folder.py, in place of the data of '
        'the stock config; --labelled and --unlabelled are then lists of '
        'make_splits.py in the place of its own, or left out',
    )
    add(
        '--geometry',
        choices=['data', 'stock'],
        default='data',
        help='with --dataset, whose sizes of images and crops: those of '
        'dataset_config.py, or of the stock config (default: %(default)s)',
    )
    add('--out', type=Path, required=True, help='config to write')
    add(
        '--learners',
        type=int,
        choices=[1, 2],
        help='1 (Mean Teacher under CutMix) or 2; two by default',
    )
    add(
        '--iters',
        type=int,
        help='iterations of a stage; by default as the first stock config',
    )
    add('--stages', type=int, default=1, help='default: %(default)s')
    add(
        '--burn-in',
        type=int,
        help='iterations on labels alone; by default a tenth of a stage',
    )
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='settings of the written config to override, as key=value, '
        'such as model.segmentors.0.backbone.init_cfg=None for random weights',
    )
    add('--force', action='store_true', help='overwrite --out')
    args = parser.parse_args(argv)
    if len(args.stock) > 2:
        parser.error(f'one or two stock configs, got {len(args.stock)}')
    if len(args.stock) == 2 and args.learners == 1:
        parser.error('--learners 1 goes with one stock config, got two')
    missing = [args.labelled, args.unlabelled].count(None)
    if missing == 1 or (args.dataset is None and missing == 2):
        parser.error('give --dataset, or --labelled and --unlabelled, or all')
    return args


def find_data(args: argparse.Namespace, cfg: Config) -> SemiData:
    """The data that the command line names."""
    if args.dataset is not None:
        own = args.geometry != 'stock'
        lists = args.labelled and (args.labelled, args.unlabelled)
        return data_of_config(cfg, args.dataset, own, lists)
    if not args.unlabelled.is_dir():
        raise FileNotFoundError(f'--unlabelled: no folder {args.unlabelled}')
    return data_of_lists(cfg, args.labelled, args.unlabelled, args.data_root)


def make_plan(args: argparse.Namespace, cfg: Config) -> SemiPlan:
    """How to train.

    Raises:
        ValueError: If a length makes no sense.
    """
    iters: Any = args.iters if args.iters is not None else training_length(cfg)
    burn_in = args.burn_in if args.burn_in is not None else iters // 10
    if iters < 1 or args.stages < 1 or not 0 <= burn_in < iters:
        raise ValueError(
            f'--iters={iters} and --stages={args.stages} must be 1 or more, '
            f'--burn-in={burn_in} 0 or more and less than --iters'
        )
    return SemiPlan(args.learners or 2, iters, args.stages, burn_in)


def portable(node: Any, folder: Path) -> Any:
    """Paths below the config's folder by mmengine's name of that folder."""
    if isinstance(node, dict):
        return {key: portable(value, folder) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(portable(value, folder) for value in node)
    prefix = f'{folder.resolve().as_posix()}/'
    if isinstance(node, str) and node.startswith(prefix):
        return '{{ fileDirname }}/' + node[len(prefix) :]
    if isinstance(node, str) and node == prefix[:-1]:
        return '{{ fileDirname }}'
    return node


def check(config: Path) -> tuple[int, int, list[str]]:
    """Build what the config names.

    Returns:
        tuple[int, int, list[str]]: Numbers of labelled and unlabelled images,
        and notes of their sizes.

    Raises:
        ValueError: If a part cannot be built.
    """
    cfg = Config.fromfile(config)
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    try:
        MODELS.build(copy.deepcopy(cfg.model))
        dataset = DATASETS.build(copy.deepcopy(cfg.train_dataloader.dataset))
        sizes = size_notes(dataset.labelled)
    except Exception as error:
        # Third-party constructors raise whatever they like.
        raise ValueError(
            f'a network or the training set cannot be built: {error}'
        ) from error
    return len(dataset.labelled), len(dataset.unlabelled), sizes


def passes(cfg: Config, images: int) -> float:
    """How often a stage of one process goes over the unlabelled images."""
    loader = cfg.train_dataloader
    drawn = cfg.train_cfg.iters_per_stage * loader.get('batch_size', 1)
    return float(drawn * loader.dataset.get('k', 1) / images)


def run(args: argparse.Namespace) -> list[str]:
    """Write the config, once it has been checked.

    Returns:
        list[str]: What to tell the user.

    Raises:
        ValueError: If the stock configs or the data do not fit.
        OSError: If a file is missing or cannot be written.
    """
    if args.out.suffix != '.py':
        raise ValueError(f'--out must end in .py, but is {args.out}')
    if args.out.exists() and not args.force:
        raise FileExistsError(f'{args.out} exists; --force overwrites it')
    stocks = [load_stock(name) for name in args.stock]
    data = find_data(args, stocks[0])
    plan = make_plan(args, stocks[0])
    listed = args.out.with_name(f'{args.out.stem}_unlabelled.txt')
    if data.names is not None:
        data.unlabelled['ann_file'] = str(listed.resolve())
    config, notes = compose(stocks, data, plan)
    cfg = Config(portable(config, args.out.parent))
    check_options(cfg, args.cfg_options or {})
    cfg.merge_from_dict(args.cfg_options or {})
    args.out.parent.mkdir(parents=True, exist_ok=True)
    before = listed.read_bytes() if listed.exists() else None
    if data.names is not None:
        text = ''.join(f'{name}\n' for name in data.names)
        listed.write_text(text, 'utf-8')
        notes.append(
            f'{args.unlabelled} holds labelled or validation images, too; '
            f'{listed} lists the others'
        )
    draft = args.out.with_name(f'{args.out.stem}_draft.py')
    try:
        cfg.dump(draft)
        labelled, unlabelled, sizes = check(draft)
        draft.replace(args.out)
    except BaseException:
        draft.unlink(missing_ok=True)
        if before is not None:
            listed.write_bytes(before)
        elif data.names is not None:
            listed.unlink()
        raise
    return [
        *notes,
        *sizes,
        f'{labelled} labelled and {unlabelled} unlabelled images, '
        f'{plan.learners} learners, {plan.stages} x {plan.iters} iterations, '
        f'a stage {passes(cfg, unlabelled):.1f} times over the unlabelled '
        'images',
        f'written: {args.out}; python tools/train.py {args.out}',
    ]


def main() -> None:
    """Run the tool; problems end it with a message."""
    args = parse_args()
    try:
        lines = run(args)
    except (ValueError, OSError) as error:
        raise SystemExit(f'error: {error}') from error
    print('\n'.join(lines))


if __name__ == '__main__':
    main()
