r"""Make a semi-supervised config from one or two stock configs of mmseg.

Examples::

    # two PSPNets teach each other, with 372 labels of Cityscapes
    python tools/misc/make_semi_config.py \
        pspnet_r50-d8_4xb2-40k_cityscapes-512x1024 \
        --labelled labelled.txt \
        --unlabelled data/cityscapes/leftImg8bit/train --out semi.py

    # DeepLabV3+ on VOC, all methods, with lists of make_splits.py
    python tools/misc/make_semi_config.py \
        deeplabv3plus_r101-d8_4xb4-40k_voc12aug-512x512 \
        --labelled 'splits/{split}_seed{seed}/labelled.txt' \
        --unlabelled 'splits/{split}_seed{seed}/unlabelled.txt' \
        --method all --splits 92 183 --seeds 0 1 2 --suite voc.py

    # PSPNet and SegFormer, on a data set of image_folder.py
    python tools/misc/make_semi_config.py \
        pspnet_r50-d8_4xb4-80k_ade20k-512x512 \
        segformer_mit-b0_8xb2-160k_ade20k-512x512 \
        --dataset data/mine/dataset_config.py --iters 10000 --out semi.py

    # the same and all other methods, and a suite that compares them
    python tools/misc/make_semi_config.py \
        pspnet_r50-d8_4xb4-80k_ade20k-512x512 \
        segformer_mit-b0_8xb2-160k_ade20k-512x512 \
        --dataset data/mine/dataset_config.py --iters 10000 \
        --method all --seeds 0 1 2 --suite compare.py
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

import rml_mmseg  # noqa: F401  (registers what the config names)
from rml_mmseg.engine.checks.config import check_options
from rml_mmseg.engine.config_files import add_cfg_options, override
from rml_mmseg.experiments.suites import (
    cfg_options,
    check_seeds,
    load_suite,
    plan_runs,
)
from rml_mmseg.run_length import LONG_RUN, length_settings
from rml_mmseg.semi_config import (
    ALLOW_OVERLAP,
    RML,
    STRONG_VIEWS,
    SUPERVISED,
    TITLES,
    Built,
    ImageLists,
    SemiData,
    SemiPlan,
    build_config,
    check_methods,
    check_output,
    compose,
    compose_supervised,
    data_of_config,
    data_of_lists,
    fit_options,
    load_stock,
    networks_of,
    portable,
    recolours,
    suite_text,
    summary,
    training_length,
    write_all,
)

ALL = 'all'


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
        help='one or two configs: files, or names of mmseg configs',
    )
    add(
        '--labelled',
        type=Path,
        help='list of the labelled images; with --suite, {seed} and {split} '
        'in its name stand for those of a run',
    )
    add(
        '--unlabelled',
        type=Path,
        help='list of the unlabelled images, like --labelled; without '
        '--dataset also a folder',
    )
    add('--data-root', type=Path, help="folder of the stock config's data")
    add(
        '--dataset',
        type=Path,
        help='dataset_config.py of image_folder.py, to use instead of the '
        'data of the stock config; --labelled and --unlabelled may then give '
        'lists of make_splits.py to use instead of its own',
    )
    add(
        '--geometry',
        choices=['data', 'stock'],
        default='data',
        help='with --dataset: use the image and crop sizes of '
        'dataset_config.py or of the stock config (default: %(default)s)',
    )
    add(
        '--method',
        nargs='+',
        choices=[*TITLES, ALL],
        default=[RML],
        help='methods to write configs for; those of one network use the '
        'first stock config (default: rml)',
    )
    add(
        '--strong-view',
        choices=[*STRONG_VIEWS],
        help='how strong views are recoloured: RandAugment, as in RML, or '
        'jitter, greyscale and blur, as in UniMatch and ClassMix (default: '
        'as in --dataset, or randaugment)',
    )
    add('--out', type=Path, help='config to write')
    add(
        '--suite',
        type=Path,
        help='instead of --out: suite file to write for '
        'tools/benchmarks/suite.py, with a config of each method beside it',
    )
    add('--seeds', type=int, nargs='+', help='of the suite; default: 0')
    add('--splits', nargs='+', help='of the suite, for {split} in the lists')
    add(
        '--learners',
        type=int,
        choices=[1, 2],
        help='for rml: 1 (Mean Teacher with CutMix) or 2 (default: 2)',
    )
    add(
        '--iters',
        type=int,
        help='iterations of a stage; default: as in the first stock config',
    )
    add('--stages', type=int, default=1, help='default: %(default)s')
    add(
        '--burn-in',
        type=int,
        help='iterations on labelled images alone; default: half a stage, '
        f'or a tenth of one of {LONG_RUN} iterations or more',
    )
    add_cfg_options(
        parser,
        'settings of the written config to override, as key=value, '
        'such as model.segmentors.0.backbone.init_cfg=None for random '
        'weights; each method takes those settings that it has',
    )
    add('--force', action='store_true', help='overwrite existing files')
    args = parser.parse_args(argv)
    if len(args.stock) > 2:
        parser.error(f'one or two stock configs, got {len(args.stock)}')
    missing = [args.labelled, args.unlabelled].count(None)
    if missing == 1 or (args.dataset is None and missing == 2):
        parser.error('give --dataset, or --labelled and --unlabelled, or all')
    args.method = [n for n in TITLES if n in args.method or ALL in args.method]
    args.splits = args.splits or []
    args.lists = None
    if args.labelled is not None:
        args.lists = ImageLists(args.labelled, args.unlabelled)
    return args


def check_runs(args: argparse.Namespace) -> None:
    """Refuse options of a suite, or of other data, where there is none.

    Raises:
        ValueError: If an option does not fit; names it and what would be
            right.
    """
    if args.strong_view and not any(map(recolours, args.method)):
        raise ValueError(
            f'--strong-view is for methods that recolour views, which '
            f'{", ".join(args.method)} does not. Leave it out'
        )
    for name in ('seeds', 'splits'):
        if args.suite is None and getattr(args, name):
            raise ValueError(
                f'--{name} is for a suite. Use --suite FILE.py instead of '
                '--out'
            )
    args.seeds = args.seeds or [0]
    check_seeds('--seeds', args.seeds)
    if args.dataset is not None and args.data_root is not None:
        raise ValueError(
            f'--data-root={args.data_root} is for the data of the stock '
            'config, which --dataset replaces. Leave one out'
        )
    if args.dataset is None and args.geometry == 'stock':
        raise ValueError(
            '--geometry=stock needs --dataset; without it the sizes are '
            'those of the stock config anyway. Leave it out'
        )
    if args.lists is not None:
        args.lists.check_words(args.splits, follow=args.suite is not None)
    elif args.splits:
        raise ValueError(
            '--splits needs lists with {split} in their names. Set them by '
            '--labelled and --unlabelled'
        )


def find_data(args: argparse.Namespace, cfg: Config) -> SemiData:
    """Find the data that the command line names, for a suite's first run.

    Raises:
        ValueError: If the images left out of a folder would depend on the
            run.
    """
    overlap = (args.cfg_options or {}).get(ALLOW_OVERLAP, False)
    if args.dataset is not None:
        own = args.geometry != 'stock'
        runs = []
        if args.lists is not None:
            args.lists.check_files(args.seeds, args.splits)
            runs = args.lists.of_runs(args.seeds, args.splits)
        return data_of_config(cfg, args.dataset, own, runs, overlap)
    runs = args.lists.of_runs(args.seeds, args.splits)
    folder = next((path for _, path in runs if path.is_dir()), None)
    if folder is not None and args.lists.follow_runs:
        raise ValueError(
            f'--unlabelled: {folder} is a folder, but each run leaves out '
            'its own labelled images. Give lists, which '
            'make_splits.py writes, such as '
            'splits/{split}_seed{seed}/unlabelled.txt'
        )
    return data_of_lists(cfg, runs, args.data_root, overlap)


def make_plan(args: argparse.Namespace, cfg: Config) -> SemiPlan:
    """Plan the training.

    Raises:
        ValueError: If a length is out of range.
    """
    iters: Any = args.iters if args.iters is not None else training_length(cfg)
    burn_in = args.burn_in
    if burn_in is None:
        burn_in = length_settings(iters).burn_in
    if iters < 1 or args.stages < 1 or not 0 <= burn_in < iters:
        raise ValueError(
            f'--iters={iters} and --stages={args.stages} must be 1 or more, '
            f'--burn-in={burn_in} 0 or more and less than --iters'
        )
    return SemiPlan(args.learners or 2, iters, args.stages, burn_in)


def make_configs(
    args: argparse.Namespace,
    stocks: Sequence[Config],
    data: SemiData,
    plan: SemiPlan,
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Make the configs of all methods.

    Returns:
        tuple: Configs by the method's name, and notes for the user.
    """
    configs, notes = {}, []
    for name in args.method:
        if name == SUPERVISED:
            made, told = compose_supervised(stocks[0], data, plan)
        else:
            count = networks_of(name, args.learners)
            own = plan._replace(learners=count, method=name)
            made, told = compose(stocks[:count], data, own)
        configs[name] = made
        notes += [note for note in told if note not in notes]
    return configs, notes


def suite_of(args: argparse.Namespace, data: SemiData) -> str:
    """The suite file's content."""
    # Lists that are the same in all runs are in the configs.
    follow = args.lists is not None and args.lists.follow_runs
    return suite_text(
        args.suite,
        files_of(args),
        args.seeds,
        args.splits,
        args.lists if follow else None,
        data.labelled.get('data_root'),
    )


def check_suite(suite: Path) -> None:
    """Refuse a suite that suite.py would not accept.

    Raises:
        ValueError: If an option cannot be given on a command line.
    """
    for planned in plan_runs(load_suite(suite), Path()):
        cfg_options(planned.options)


def files_of(args: argparse.Namespace) -> dict[str, Path]:
    """Config files by the method's name.

    Raises:
        ValueError: If the name of a file does not end in .py.
    """
    target = args.suite or args.out
    if target.suffix != '.py':
        option = '--out' if args.suite is None else '--suite'
        raise ValueError(f'{option} must end in .py, but is {target}')
    if args.suite is None:
        return {args.method[0]: target}
    return {
        name: target.with_name(f'{target.stem}_{name}.py')
        for name in args.method
    }


def check_new(paths: Iterable[Path], force: bool) -> None:
    """Refuse to overwrite files, unless forced to.

    Raises:
        FileExistsError: If a file exists and ``force`` is False.
    """
    for path in paths:
        if path.exists() and not force:
            raise FileExistsError(f'{path} exists. Use --force to overwrite')


def run(args: argparse.Namespace) -> list[str]:
    """Write the configs, once they have been checked.

    Returns:
        list[str]: Lines to print for the user.

    Raises:
        ValueError: If the stock configs or the data do not fit.
        OSError: If a file is missing or cannot be written.
    """
    check_methods(args.method, len(args.stock), args.learners, args.burn_in)
    check_output(args.method, args.out, args.suite)
    check_runs(args)
    files = files_of(args)
    target = args.suite or args.out
    check_new(dict.fromkeys([*files.values(), target]), args.force)
    stocks = [load_stock(name) for name in args.stock]
    data = find_data(args, stocks[0])
    if args.strong_view is not None:
        data = data._replace(strong=STRONG_VIEWS[args.strong_view])
    plan = make_plan(args, stocks[0])
    listed = target.with_name(f'{target.stem}_unlabelled.txt')
    lists = {}
    if data.names is not None:
        data.unlabelled['ann_file'] = str(listed.resolve())
        check_new([listed], args.force)
        lists[listed] = ''.join(f'{name}\n' for name in data.names)
    made, notes = make_configs(args, stocks, data, plan)
    options, left_out = fit_options(args.cfg_options or {}, made)
    configs: dict[Path, Any] = {}
    for name, config in made.items():
        cfg = Config(portable(config, target.parent))
        check_options(cfg, options[name])
        override(cfg, options[name], f'{name}: --cfg-options')
        configs[files[name]] = cfg
    built: dict[str, Built] = {}

    def check(path: Path, draft: Path) -> None:
        if path == args.suite:
            check_suite(draft)
            return
        name = next(n for n, file in files.items() if file == path)
        try:
            built[name] = build_config(draft)
        except ValueError as error:
            several = f'{name}: ' if len(files) > 1 else ''
            raise ValueError(f'{several}{error}') from error

    suite = {args.suite: suite_of(args, data)} if args.suite else {}
    write_all({**configs, **suite}, lists, check)
    if lists:
        notes.append(
            f'{args.unlabelled} also holds labelled or validation images; '
            f'{listed} lists the others'
        )
    first = next(iter(built.values()))
    quoted = shlex.quote(str(target))
    lines = [*notes, *left_out, *first.sizes]
    if args.suite is None:
        return [
            *lines,
            summary(configs[target], first),
            f'written: {target}; python tools/train.py {quoted}',
        ]
    for name, path in files.items():
        lines.append(f'{path}: {summary(configs[path], built[name])}')
    return [
        *lines,
        f'written: {target}; python tools/benchmarks/suite.py {quoted}',
    ]


def main() -> None:
    """Run the tool; errors end it with a message."""
    args = parse_args()
    try:
        lines = run(args)
    except (ValueError, OSError) as error:
        raise SystemExit(f'error: {error}') from error
    print('\n'.join(lines))


if __name__ == '__main__':
    main()
