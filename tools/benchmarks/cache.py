"""Size, speed and fidelity of stored soft pseudo labels."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.runner import Runner
from torch import Tensor

from rml_mmseg.datasets.soft_labels import SoftLabelStore
from rml_mmseg.experiments.benchmarks import (
    Report,
    add_report_arguments,
    alternate,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=2)
    parser.add_argument('--classes', type=int, nargs='+', default=[19, 150])
    parser.add_argument('--teachers', type=int, default=2)
    parser.add_argument(
        '--logits', type=int, nargs=2, default=[65, 129], metavar=('h', 'w')
    )
    parser.add_argument(
        '--size', type=int, nargs=2, default=[512, 1024], metavar=('H', 'W')
    )
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument(
        '--network',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='compare accuracies on the validation images of a plain config',
    )
    add_report_arguments(parser)
    return parser.parse_args(argv)


def scene_logits(
    classes: int, size: tuple[int, int], draw: torch.Generator
) -> Tensor:
    """Draw logits (K, h, w) of patches of a few classes, with noise.

    Like a trained network's, they are confident within a patch and uncertain
    at its edge.
    """
    chosen = torch.randperm(classes, generator=draw)[: min(classes, 12)]
    patches = torch.randint(len(chosen), (1, 1, 5, 9), generator=draw)
    ids = chosen[patches[0, 0]]
    coarse = F.one_hot(ids, classes).movedim(2, 0).float()
    smooth = F.interpolate(
        coarse[None], size=size, mode='bilinear', align_corners=False
    )[0]
    noise = torch.randn(smooth.shape, generator=draw)
    return 10 * smooth + noise


def agreements(
    exact: Tensor, stored: Tensor, size: tuple[int, int], draw: torch.Generator
) -> dict[str, float]:
    """Agreement of stored with exact labels, at the image's size."""
    before, after = (
        F.interpolate(
            logits[None].float(),
            size=size,
            mode='bilinear',
            align_corners=False,
        )[0].softmax(0)
        for logits in (exact, stored)
    )
    # Weights such as the rectifier's, which change some of the labels.
    weights = scene_logits(len(exact), size, draw).mul_(0.2).softmax(0)
    rectified = [(weights * probs).argmax(0) for probs in (before, after)]
    return dict(
        same_labels=(before.argmax(0) == after.argmax(0))
        .float()
        .mean()
        .item(),
        same_rectified=(rectified[0] == rectified[1]).float().mean().item(),
        mean_distance=((before - after).abs().sum(0) / 2).mean().item(),
    )


def measure(
    args: argparse.Namespace, classes: int, folder: str
) -> dict[str, Any]:
    """Measure one row: size, speeds and agreement for some classes."""
    draw = torch.Generator().manual_seed(0)
    store = SoftLabelStore(folder)
    items = {
        f'{i}.png': [
            scene_logits(classes, tuple(args.logits), draw)
            for _ in range(args.teachers)
        ]
        for i in range(args.images)
    }

    def write() -> None:
        for name, logits in items.items():
            store.write(name, logits)

    def read() -> list[list[Tensor]]:
        return [store.read(name) for name in items]

    times = alternate(dict(write=write, read=read), args.rounds)
    sizes = [Path(store.file_of(name)).stat().st_size for name in items]
    raw = args.teachers * classes * np.prod(args.logits) * 4
    found = [
        agreements(logits[0], back[0], tuple(args.size), draw)
        for logits, back in zip(items.values(), read())
    ]
    means = {
        key: float(np.mean([row[key] for row in found])) for key in found[0]
    }
    return dict(
        K=classes,
        MB_an_image=float(np.mean(sizes)) / 1e6,
        smaller_than_float32=float(raw / np.mean(sizes)),
        written_per_s=args.images / times['write'].median(),
        read_per_s=args.images / times['read'].median(),
        read_per_cpu_s=args.images / times['read'].median('cpu'),
        **means,
    )


@torch.no_grad()
def accuracies(config: str, checkpoint: str, folder: str) -> dict[str, Any]:
    """Validation accuracy of a trained network's exact and stored labels."""
    # Imported only now, after the package has patched what mmseg needs.
    from mmseg.apis import init_model

    model = init_model(config, checkpoint, device='cpu')
    cfg = dict(model.cfg.val_dataloader, num_workers=0)
    cfg['persistent_workers'] = False
    store = SoftLabelStore(folder)
    hits = {'exact': 0, 'stored': 0}
    scored = size = images = 0
    for batch in Runner.build_dataloader(cfg):
        data = model.data_preprocessor(batch, False)
        truth = data['data_samples'][0].gt_sem_seg.data[0]
        valid = truth != model.decode_head.ignore_index
        name = f'{images}.png'
        exact = model._forward(data['inputs'])[0]
        store.write(name, [exact])
        for key, logits in dict(
            exact=exact, stored=store.read(name)[0].float()
        ).items():
            labels = F.interpolate(
                logits[None], truth.shape, mode='bilinear'
            ).argmax(1)[0]
            hits[key] += int((labels == truth)[valid].sum())
        scored += int(valid.sum())
        size += Path(store.file_of(name)).stat().st_size
        images += 1
    return dict(
        images=images,
        MB_an_image=size / images / 1e6,
        **{f'accuracy_{key}': hit / scored for key, hit in hits.items()},
    )


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    report = Report('Stored soft pseudo labels', args.device)
    rows = []
    for classes in args.classes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(args, classes, folder))
    if args.network:
        with tempfile.TemporaryDirectory() as folder:
            trained = accuracies(*args.network, folder)
        report.table('Labels of a trained network', [trained])
    height, width = args.logits
    report.note(
        f'{args.teachers} teachers, logits of {height}x{width}, labels '
        f'compared at {args.size[0]}x{args.size[1]}; generated scenes.'
    )
    report.table('Soft labels of one image', rows)
    report.finish(args.out)


if __name__ == '__main__':
    main()
