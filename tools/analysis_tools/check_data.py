"""Open every image and mask that a config is trained and scored on.

Prints sizes, values and classes of the labelled, the unlabelled, the
validation and the test set, the files that are damaged or do not fit, and
the images that are in two sets. Exits with 0 if nothing is wrong, 1 if
something is, and 2 if the config cannot be used.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from rml_mmseg.datasets.counted import counted
from rml_mmseg.datasets.data_check import (
    SetChecker,
    SetReport,
    as_json,
    shared_images,
)
from rml_mmseg.datasets.progress_bar import with_bar
from rml_mmseg.engine.command_line import overridden_config
from rml_mmseg.engine.config_files import add_cfg_options

# Stock data sets assert that their files are there.
WRONG_CONFIG = (
    AssertionError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--json', type=Path, help='also write the report to this file'
    )
    parser.add_argument(
        '--allow-shared',
        action='store_true',
        help='report images in two sets, but do not count them as wrong',
    )
    add_cfg_options(parser)
    return parser.parse_args(argv)


def all_sets(cfg: Config) -> Iterator[tuple[str, BaseDataset, bool]]:
    """Name of each set, the set, and whether it must have masks."""
    seen = []
    for loader in ('train', 'val', 'test'):
        settings = (cfg.get(f'{loader}_dataloader') or {}).get('dataset')
        if settings is None or settings in seen:
            continue
        seen.append(settings)
        dataset = DATASETS.build(settings)
        if hasattr(dataset, 'unlabelled'):
            yield 'labelled', dataset.labelled, True
            yield 'unlabelled', dataset.unlabelled, False
            continue
        parts = list(plain_sets(dataset))
        for number, part in enumerate(parts, start=1):
            part.full_init()
            several = f' {number}' if len(parts) > 1 else ''
            yield loader + several, part, True


def plain_sets(dataset: Any) -> Iterator[BaseDataset]:
    """The data sets inside one that repeats, mixes or joins them."""
    if isinstance(dataset, BaseDataset):
        yield dataset
        return
    parts = getattr(dataset, 'datasets', None) or [dataset.dataset]
    for part in parts:
        yield from plain_sets(part)


def check(name: str, dataset: BaseDataset, masks: bool) -> SetReport:
    """Look at all images of a set, with progress on stderr."""
    checker = SetChecker(name, dataset, masks)
    print(f'{name}: {counted(len(dataset), "image")}', file=sys.stderr)
    for index in with_bar(range(len(dataset))):
        checker.look(index)
    return checker.finish()


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    args = parse_args(argv)
    try:
        cfg = overridden_config(args.config, args.cfg_options)
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        sets = list(all_sets(cfg))
    except (*WRONG_CONFIG, OSError) as error:
        print(f'error: {args.config}: {error}', file=sys.stderr)
        return 2
    if args.json is not None:
        # Before all images are read.
        try:
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.touch()
        except OSError as error:
            print(f'error: --json {args.json}: {error}', file=sys.stderr)
            return 2
    reports = [check(*item) for item in sets]
    shared = shared_images(reports)
    for report in reports:
        print(*report.lines(), sep='\n')
    for line in shared:
        print(line)
    if args.json is not None:
        args.json.write_text(json.dumps(as_json(reports, shared), indent=2))
    wrong = sum(len(report.problems) for report in reports)
    if not args.allow_shared:
        wrong += len(shared)
    warned = sum(len(report.warnings) for report in reports)
    things = counted(wrong, 'problem', 'problems')
    print(
        f'{things} found' if wrong else 'nothing is wrong',
        f'{warned} warning(s)' if warned else 'no warning',
        sep=', ',
    )
    return int(wrong > 0)


if __name__ == '__main__':
    raise SystemExit(main())
