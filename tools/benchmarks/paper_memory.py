"""Compute the memory of configs on one GPU, and measure it if there is one."""

from __future__ import annotations

import argparse
import gc
import tempfile
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import nn

from rml_mmseg.experiments.benchmarks import (
    MeasuredLoop,
    Report,
    add_report_arguments,
    load_training,
    run_measured,
)
from rml_mmseg.experiments.benchmarks.saved_bytes import saved_bytes
from rml_mmseg.models.utils.learner_cfg import learner_cfg, without_weights
from rml_mmseg.models.utils.semi_train_cfg import SemiTrainCfg

CONFIGS = [
    'configs/rml/deeplabv2_deeplabv2_city_1-8.py',
    'configs/rml/deeplabv2_setr_city_1-8.py',
    'configs/rml/setr_setr_city_1-8.py',
    'configs/rml/deeplabv2_deeplabv2_voc_1-8.py',
    'configs/rml/segformer_dinov2_city_1-8.py',
    'configs/rml/segformer_dinov2-dpt_city_1-8.py',
    'configs/rivals/unimatch_v2_dinov2-dpt_voc_1-8.py',
]
# Float32 numbers that an optimiser stores for each weight.
STATES = {'SGD': 1, 'Adam': 2, 'AdamW': 2}
FLOAT, GB = 4, 1e9
# Enough iterations for the allocator to reach the peak of a step.
ITERATIONS = 4
# Size of scenes, at least as large as any crop of the configs.
SCENE_SIZE = 512, 1024
PRECISIONS: dict[str, dict[str, Any]] = {
    'float32': {},
    'bfloat16': {'optim_wrapper.type': 'BFloat16OptimWrapper'},
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='*', default=CONFIGS)
    add_report_arguments(parser)
    return parser.parse_args(argv)


def build(cfg: dict, checkpointing: bool, dtype: torch.dtype) -> nn.Module:
    """Build a segmentor on the meta device, with shapes only."""
    cfg = without_weights(learner_cfg(cfg, {}))
    if checkpointing:
        cfg['backbone']['with_cp'] = True
    network: nn.Module = MODELS.build(cfg)
    return network.to('meta', dtype).train()


def activation_bytes(
    cfg: dict,
    images: int,
    crop: tuple[int, int],
    checkpointing: bool = False,
    dtype: torch.dtype = torch.float32,
) -> int:
    """Bytes that a student saves for its backward pass.

    A backbone without support for checkpointing saves everything. Added are
    two float32 tensors (N, K, H, W) at the size of the image, for the logits
    of the losses on labels and on pseudo labels and their log-softmax.
    """
    try:
        network: Any = build(cfg, checkpointing, dtype)
    except TypeError:
        network = build(cfg, False, dtype)
    batch = torch.empty(images, 3, *crop, device='meta', dtype=dtype)

    def forward() -> None:
        features = network.extract_feat(batch)
        network.decode_head.forward(features)
        if network.with_auxiliary_head:
            heads = network.auxiliary_head
            single = not isinstance(heads, nn.ModuleList)
            for head in [heads] if single else heads:
                head.forward(features)

    full = images * network.num_classes * crop[0] * crop[1] * FLOAT
    return saved_bytes(forward, network) + 2 * full


def row_of(path: str) -> dict[str, Any]:
    """Compute the memory of one config, as a row."""
    cfg = Config.fromfile(path)
    segmentors, wrapper = cfg.model.segmentors, cfg.optim_wrapper
    pairs = cfg.train_dataloader.batch_size
    k = cfg.train_dataloader.dataset.get('k', 1)
    crop = tuple(cfg.model.data_preprocessor['size'])
    own = wrapper.get('students') or [wrapper] * len(segmentors)
    fixed = weights = 0
    for segmentor, rule in zip(segmentors, own):
        network = build(segmentor, False, torch.float32)
        count = sum(p.numel() for p in network.parameters())
        states = STATES.get(rule['optimizer']['type'], 2)
        # Weights, gradients, optimiser states and the teacher's weights.
        fixed += count * FLOAT * (3 + states)
        weights += count
    learning = SemiTrainCfg(**cfg.model.semi_train_cfg)
    views = learning.strong_views + bool(learning.feature_dropout)
    images = pairs * (1 + k * views)
    soft = len(segmentors) * pairs * k * FLOAT * crop[0] * crop[1]
    soft *= segmentors[0]['decode_head']['num_classes']

    def activations(**kwargs: Any) -> float:
        found = [
            activation_bytes(s, images, crop, **kwargs) for s in segmentors
        ]
        return sum(found)

    plain = activations()
    return {
        'config': path.split('/')[-1],
        'images a step': images,
        'weights of students, million': weights / 1e6,
        'weights, gradients, optimisers, teachers, GB': fixed / GB,
        'activations, GB': plain / GB,
        'soft labels, GB': soft / GB,
        'sum, GB': (fixed + plain + soft) / GB,
        'activations in 16 bits, GB': activations(dtype=torch.bfloat16) / GB,
        'activations with_cp, GB': activations(checkpointing=True) / GB,
    }


def peak_of(
    path: str, options: dict[str, Any], folder: Path
) -> tuple[float, float]:
    """Peak memory of some training iterations on a GPU.

    Args:
        path (str): Config.
        options (dict): Settings to override.
        folder (Path): Folder for logs and scenes.

    Returns:
        tuple[float, float]: Peak of allocated tensors and peak of memory
        that the allocator reserved for them, GB.
    """
    gc.collect()
    torch.cuda.empty_cache()
    found = []

    def train(loop: MeasuredLoop) -> None:
        torch.cuda.reset_peak_memory_stats()
        for _ in range(ITERATIONS):
            loop.iteration()
        found.append(torch.cuda.max_memory_allocated() - before)
        found.append(torch.cuda.max_memory_reserved() - taken)

    before = torch.cuda.memory_allocated()
    taken = torch.cuda.memory_reserved()
    cfg, _ = load_training(path, folder, options, SCENE_SIZE, workers=False)
    run_measured(cfg, train)
    return found[0] / GB, found[1] / GB


def measured_row(path: str, folder: Path) -> dict[str, Any]:
    """Measure the memory of a config on this GPU, as a row."""
    row: dict[str, Any] = {'config': path.split('/')[-1]}
    for name, options in PRECISIONS.items():
        used, taken = peak_of(path, options, folder)
        row.update({f'{name}, GB': used, f'{name}, taken, GB': taken})
    return row


def main() -> None:
    """Run the tool."""
    args = parse_args()
    init_default_scope('mmseg')
    report = Report('Memory of configs on one GPU, computed', args.device)
    report.note(
        'From shapes, not measured: without what the allocator rounds up, '
        'workspaces of convolutions and what lives only for a moment.'
    )
    report.table('Each GPU', [row_of(path) for path in args.configs])
    if args.device.type == 'cuda':
        with tempfile.TemporaryDirectory() as folder:
            rows = [measured_row(p, Path(folder)) for p in args.configs]
        report.table('Each GPU, measured on this one', rows)
    report.finish(args.out)


if __name__ == '__main__':
    main()
