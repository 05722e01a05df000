"""Time the rectifier against a loop over images and classes."""

from __future__ import annotations

import argparse
from typing import Any, Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from rml_mmseg.experiments.benchmarks import (
    Report,
    add_report_arguments,
    alternate,
    peak_extra_bytes,
)
from rml_mmseg.models.utils import (
    class_shares,
    class_sums,
    prototype_weights,
    rectify,
    update_prototypes,
)
from rml_mmseg.models.utils.cuda_graphs import capture

MOMENTUM = 0.9999
# Required speed-up over the loop, by the number of classes.
SPEED_UP = {19: 10, 150: 50}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=4)
    parser.add_argument('--channels', type=int, nargs='+', default=[256, 2048])
    parser.add_argument('--classes', type=int, nargs='+', default=[19, 150])
    parser.add_argument(
        '--features', type=int, nargs=2, default=[65, 129], metavar=('h', 'w')
    )
    parser.add_argument(
        '--labels', type=int, nargs=2, default=[256, 512], metavar=('H', 'W')
    )
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument(
        '--budget',
        type=float,
        default=30.0,
        help='seconds for each case; the slow loop starts no round after them',
    )
    add_report_arguments(parser)
    return parser.parse_args(argv)


def make_case(
    args: argparse.Namespace, channels: int, classes: int
) -> dict[str, Tensor]:
    """Draw features, their labels, prototypes and soft pseudo labels."""
    draw = torch.Generator().manual_seed(0)
    n, small, full = args.images, args.features, args.labels
    prototypes = torch.randn(classes, channels, generator=draw)
    # Classes in patches, so that the loop can skip those not in an image.
    coarse = torch.randint(classes, (n, 1, 8, 8), generator=draw).float()
    labels = F.interpolate(coarse, size=small, mode='nearest').long()[:, 0]
    features = prototypes[labels].movedim(3, 1)
    features = features + torch.randn(features.shape, generator=draw)
    logits = torch.randn(n, classes, *full, generator=draw)
    case = dict(
        features=features.contiguous(),
        labels=labels,
        prototypes=prototypes,
        probs=logits.softmax(1),
    )
    return {key: value.to(args.device) for key, value in case.items()}


def by_loop(
    features: Tensor, labels: Tensor, prototypes: Tensor, probs: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute Eq. 6, 9 and 11, one image and one class at a time.

    Returns:
        tuple[Tensor, Tensor]: Rectified labels (N, H, W) and the new
        prototypes (K, C).
    """
    n, c = features.shape[:2]
    k = len(prototypes)
    distances = features.new_zeros(n, k, *features.shape[-2:])
    sums, counts = torch.zeros_like(prototypes), prototypes.new_zeros(k)
    for i in range(n):
        for cls in range(k):
            gap = features[i] - prototypes[cls].view(c, 1, 1)
            distances[i, cls] = gap.norm(dim=0)
            mask = labels[i] == cls
            if mask.any():
                sums[cls] += (features[i] * mask).sum((1, 2))
                counts[cls] += mask.sum()
    weights = F.interpolate(
        (-distances).softmax(1),
        size=probs.shape[-2:],
        mode='bilinear',
        align_corners=False,
    )
    new = prototypes.clone()
    for cls in range(k):
        if counts[cls] > 0:
            mean = sums[cls] / counts[cls]
            new[cls] = MOMENTUM * prototypes[cls] + (1 - MOMENTUM) * mean
    return (weights * probs).argmax(1), new


def by_package(
    features: Tensor, labels: Tensor, prototypes: Tensor, probs: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute the same as :func:`by_loop` with this package."""
    sums, counts = class_sums(features, labels, len(prototypes))
    new = update_prototypes(prototypes, sums, counts, MOMENTUM)
    return rectify(probs, prototype_weights(features, prototypes)), new


def parts_of(case: dict[str, Tensor]) -> dict[str, Callable[[], Any]]:
    """The package's functions, and operations that no method can avoid."""
    features, labels = case['features'], case['labels']
    prototypes, probs = case['prototypes'], case['probs']
    sums, counts = class_sums(features, labels, len(prototypes))
    weights = prototype_weights(features, prototypes)
    return {
        'class sums': lambda: class_sums(features, labels, len(prototypes)),
        'update': lambda: update_prototypes(
            prototypes, sums, counts, MOMENTUM
        ),
        'weights': lambda: prototype_weights(features, prototypes),
        'rectify': lambda: rectify(probs, weights),
        'shares for an alignment': lambda: class_shares(probs, weights),
        'product alone': lambda: prototypes @ features.flatten(2),
        'largest probability alone': lambda: probs.amax(1),
    }


def same_share(
    ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]
) -> float:
    """Share of equally labelled pixels; asserts that prototypes agree."""
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-4, atol=1e-4)
    return (ours[0] == theirs[0]).float().mean().item()


@torch.no_grad()
def measure(
    args: argparse.Namespace, report: Report, channels: int, classes: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure one case: loop against package, and the package's parts."""
    case = make_case(args, channels, classes)
    # The loop takes up to a minute, so the timed results are compared.
    results = {'package': by_package(**case)}
    sides: dict[str, Callable[[], Any]] = {
        'loop': lambda: results.update(loop=by_loop(**case)),
        'package': lambda: by_package(**case),
    }
    if args.device.type == 'cuda':
        # As with semi_train_cfg.cuda_graphs.
        sides['graph'], _ = capture(lambda: by_package(**case), [])
    times = alternate(
        sides,
        args.rounds,
        warm_up=0,
        budget=args.budget,
        device=args.device,
    )
    share = same_share(results['package'], results['loop'])
    tensor = case['probs'].numel() * case['probs'].element_size()
    extra = peak_extra_bytes(lambda: by_package(**case), args.device)
    # CPU time on a CPU, as other work would add to the wall-clock time.
    clock = 'cpu' if args.device.type == 'cpu' else 'wall'
    speed_ups = {
        side: times['loop'].over(timing, clock)
        for side, timing in times.items()
        if side != 'loop'
    }
    name = dict(K=classes, C=channels)
    for side, found in speed_ups.items():
        if classes in SPEED_UP:
            report.target(
                f'speed-up of the {side} at K={classes}, C={channels}',
                found,
                at_least=SPEED_UP[classes],
            )
    report.target(
        f'extra memory at K={classes}, C={channels}, in tensors (N, K, H, W)',
        extra / tensor,
        at_most=2,
    )
    row = dict(
        name,
        rounds=len(times['loop'].wall),
        loop_ms=1000 * times['loop'].median(clock),
        package_ms=1000 * times['package'].median(clock),
        speed_up=speed_ups['package'],
        speed_up_elapsed=times['loop'].over(times['package']),
        same_labels=share,
        extra_MB=extra / 1e6,
        extra_in_tensors=extra / tensor,
    )
    if 'graph' in times:
        row.update(
            graph_ms=1000 * times['graph'].median(clock),
            graph_speed_up=speed_ups['graph'],
        )
    parts = alternate(parts_of(case), args.rounds, device=args.device)
    return row, {
        **name,
        **{f'{part}_ms': 1000 * t.median(clock) for part, t in parts.items()},
    }


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    report = Report('Rectifier against a loop', args.device)
    rows, parts = [], []
    for classes in args.classes:
        for channels in args.channels:
            row, part = measure(args, report, channels, classes)
            rows.append(row)
            parts.append(part)
    report.table('Class sums, update, weights and rectification', rows)
    report.table('Parts of the package, and the least there is to do', parts)
    report.finish(args.out)


if __name__ == '__main__':
    main()
