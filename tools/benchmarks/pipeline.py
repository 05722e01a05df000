"""Time the views of a labelled and an unlabelled image, from files."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, Callable

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope
from mmseg.registry import TRANSFORMS

from rml_mmseg.datasets.scene_generator import SceneGenerator
from rml_mmseg.datasets.seeding import seeded
from rml_mmseg.datasets.transforms import CheckLabels
from rml_mmseg.experiments.benchmarks import (
    Report,
    add_report_arguments,
    alternate,
)

GEOMETRY = [dict(type='RandomFlip', prob=0.5)]
STRONG = [dict(type='PhotometricRandAugment')]
TARGETS = dict(
    faster='speed-up over loading each view by itself',
    cost='cost of a pair in stock supervised images',
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=24)
    parser.add_argument(
        '--source', type=int, nargs=2, default=[512, 1024], metavar=('H', 'W')
    )
    parser.add_argument(
        '--crop', type=int, nargs=2, default=[256, 512], metavar=('H', 'W')
    )
    parser.add_argument('--data-root', type=Path, default='data/camvid')
    parser.add_argument('--rounds', type=int, default=5)
    add_report_arguments(parser)
    return parser.parse_args(argv)


def scenes(
    folder: Path, count: int, size: tuple[int, int]
) -> tuple[list[tuple[np.ndarray, np.ndarray]], str]:
    """Images and masks of a size, and a description of their source."""
    height, width = size
    images = sorted(folder.glob('img_dir/train/*'))[:count]
    if len(images) == count:
        pairs = []
        for path in images:
            mask = folder / 'ann_dir/train' / f'{path.stem}.png'
            image = cv2.imread(str(path))
            label = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
            pairs.append(
                (
                    cv2.resize(image, (width, height)),
                    cv2.resize(
                        label, (width, height), interpolation=cv2.INTER_NEAREST
                    ),
                )
            )
        return pairs, f'CamVid in {folder}, enlarged'
    generator = SceneGenerator(0, height, width)
    found = [generator.generate('train', i)[:2] for i in range(count)]
    return found, f'generated scenes, as {folder} has no {count} images'


def write_files(
    folder: Path, pairs: list[tuple[np.ndarray, np.ndarray]]
) -> list[dict[str, Any]]:
    """Write PNG files as in Cityscapes; return a dataset's info of each."""
    infos = []
    for i, (image, mask) in enumerate(pairs):
        paths = folder / f'{i}.png', folder / f'{i}_mask.png'
        for path, array in zip(paths, (image, mask)):
            cv2.imwrite(str(path), array)
        infos.append(
            dict(
                img_path=str(paths[0]),
                seg_map_path=str(paths[1]),
                label_map=None,
                reduce_zero_label=False,
            )
        )
    return infos


def build(*steps: Any) -> Compose:
    """Build a pipeline from configs and transforms."""
    return Compose(
        [TRANSFORMS.build(s) if isinstance(s, dict) else s for s in steps]
    )


def make_sides(
    infos: list[dict[str, Any]], crop: tuple[int, int]
) -> dict[str, Callable[[], Any]]:
    """Functions to time, by name; equal seeds give them equal crops."""
    load = dict(type='LoadImageFromFile')
    annotations = dict(type='LoadAnnotations')
    crop_step = dict(type='RandomCrop', crop_size=tuple(crop))
    pack = dict(type='PackSegInputs')
    stock = build(load, annotations, crop_step, *GEOMETRY, pack)
    labelled = build(
        load, annotations, CheckLabels(256), crop_step, *GEOMETRY, pack
    )
    unlabelled = build(
        load,
        dict(type='MarkValid'),
        crop_step,
        *GEOMETRY,
        dict(type='WeakStrongViews', strong=STRONG, num_strong=2),
        dict(type='CutMix'),
        dict(type='PackSemiSegInputs'),
    )
    number = dict(type='MarkValid')
    weak_alone = build(load, number, crop_step, *GEOMETRY, pack)
    strong_alone = build(load, number, crop_step, *GEOMETRY, *STRONG, pack)

    def item(pipeline: Compose, info: dict, seed: int, masks: bool) -> Any:
        results = dict(info, seg_fields=[])
        if not masks:
            results.pop('seg_map_path')
        with seeded(seed):
            return pipeline(results)

    def supervised() -> None:
        for i, info in enumerate(infos):
            item(stock, info, i, True)

    def paired() -> None:
        for i, info in enumerate(infos):
            item(labelled, info, i, True)
            item(unlabelled, info, i, False)

    def apart() -> None:
        for i, info in enumerate(infos):
            item(labelled, info, i, True)
            for pipeline in (weak_alone, strong_alone, strong_alone):
                item(pipeline, info, i, False)

    def two_supervised() -> None:
        supervised()
        supervised()

    return {
        'stock supervised, one image': supervised,
        'stock supervised, two images': two_supervised,
        'labelled, weak, two strong views': paired,
        'the same, each view loaded by itself': apart,
    }


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    # As in a worker of a data loader.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    init_default_scope('mmseg')
    report = Report('From files to packed views', args.device)
    pairs, source = scenes(args.data_root, args.images, args.source)
    with tempfile.TemporaryDirectory() as folder:
        infos = write_files(Path(folder), pairs)
        times = alternate(make_sides(infos, args.crop), args.rounds)
    stock, two, paired, apart = times.values()
    report.note(
        f'PNG files of {args.source[0]}x{args.source[1]} ({source}), crops '
        f'of {args.crop[0]}x{args.crop[1]}, one process.'
    )
    report.table(
        'For each labelled and unlabelled image',
        [
            dict(
                side=name,
                ms=1000 * timing.median() / args.images,
                cpu_ms=1000 * timing.median('cpu') / args.images,
                over_one_stock=timing.over(stock),
                over_one_stock_cpu=timing.over(stock, 'cpu'),
                pairs_per_cpu_s=args.images / timing.median('cpu'),
            )
            for name, timing in times.items()
        ],
    )
    report.target(TARGETS['faster'], apart.over(paired, 'cpu'), at_least=1.8)
    report.target(TARGETS['cost'], paired.over(stock, 'cpu'), at_most=2.2)
    report.finish(args.out)


if __name__ == '__main__':
    main()
