"""Which images a network finds hard."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.evaluation import IoUMetric
from mmseg.registry import HOOKS
from PIL import Image
from torch import Tensor

from rml_mmseg.setting_checks import check_count
from rml_mmseg.visualization import class_colours

from ..checks.scored_set import iou_metrics

IGNORED = 255


def image_iou(
    labels: Tensor, truth: Tensor, classes: int, ignored: int = IGNORED
) -> Tensor:
    """IoU (K,) of one image; NaN for classes absent from its ground truth.

    Args:
        labels (Tensor): Predicted class ids (H, W).
        truth (Tensor): True class ids (H, W).
        classes (int): Number of classes K.
        ignored (int): Label of pixels to leave out. Defaults to 255.
    """
    intersect, union, _, own = IoUMetric.intersect_and_union(
        labels, truth, classes, ignored
    )
    return torch.where(own > 0, intersect / union, torch.nan)


@HOOKS.register_module()
class ImageScoresHook(Hook):
    """Keeps the IoU of every image of a validation or test.

    Works with any mmseg model. ``image_scores.json``, beside the log, lists
    all images from worst to best, with the mean IoU over the classes in each
    one's ground truth; pixels with the evaluator's ``ignore_index`` are left
    out. For the ``hardest`` images it also holds the IoU by class, and
    ``hard_images`` their prediction and ground truth: label maps of class ids
    with the classes' colours as palette. The next validation replaces them.
    ``tools/analysis_tools/report.py`` shows them.

    Args:
        hardest (int): Number of images to keep label maps of. Defaults to 8.

    Raises:
        ValueError: If ``hardest`` is negative.
    """

    def __init__(self, hardest: int = 8) -> None:
        check_count('ImageScoresHook.hardest', hardest, 0)
        self.hardest = hardest
        self._scores: dict[str, float] = {}
        self._kept: list[dict[str, Any]] = []

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        """Forget the last validation."""
        self._scores, self._kept = {}, []

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
        mode: str = 'train',
    ) -> None:
        """Score a batch."""
        if mode != 'train':
            self._count(getattr(runner, f'{mode}_loop'), outputs)

    def _after_epoch(self, runner: Runner, mode: str = 'train') -> None:
        """Write the scores and the label maps."""
        if mode != 'train':
            self._write(runner, mode)

    def _count(self, loop: Any, outputs: Any) -> None:
        classes = len(loop.dataloader.dataset.metainfo['classes'])
        metric = next(iou_metrics(loop), None)
        ignored = IGNORED if metric is None else metric.ignore_index
        for sample in outputs or ():
            if 'gt_sem_seg' not in sample:
                continue
            labels = sample.pred_sem_seg.data.squeeze(0)
            truth = sample.gt_sem_seg.data.squeeze(0).to(labels)
            ious = image_iou(labels, truth, classes, ignored).cpu()
            score = float(ious.nanmean())
            if np.isnan(score):
                continue
            self._scores[sample.img_path] = score
            self._kept.append(
                dict(
                    img_path=sample.img_path,
                    mIoU=score,
                    ious=ious.tolist(),
                    prediction=labels.cpu().numpy().astype(np.uint8),
                    truth=truth.cpu().numpy().astype(np.uint8),
                )
            )
            self._kept.sort(key=lambda item: item['mIoU'])
            del self._kept[self.hardest :]

    def _write(self, runner: Runner, mode: str) -> None:
        parts = all_gather_object((self._scores, self._kept))
        if not is_main_process():
            return
        # Ranks pad their shares with each other's images.
        scores = {p: s for part, _ in parts for p, s in part.items()}
        kept = {item['img_path']: item for _, own in parts for item in own}
        worst = sorted(kept.values(), key=lambda item: item['mIoU'])
        folder = Path(runner.log_dir)
        meta = getattr(runner, f'{mode}_dataloader').dataset.metainfo
        colours = class_colours(len(meta['classes']), meta.get('palette'))
        hardest = []
        for rank, item in enumerate(worst[: self.hardest]):
            entry = dict(img_path=item['img_path'], mIoU=item['mIoU'])
            entry['IoU'] = {
                name: iou
                for name, iou in zip(meta['classes'], item['ious'])
                if not np.isnan(iou)
            }
            for kind in ('prediction', 'truth'):
                entry[kind] = f'hard_images/{rank}_{kind}.png'
                _write_labels(folder / entry[kind], item[kind], colours)
            hardest.append(entry)
        order = sorted(scores.items(), key=lambda pair: (pair[1], pair[0]))
        found = dict(
            mode=mode,
            iteration=runner.iter,
            classes=list(meta['classes']),
            palette=meta.get('palette'),
            hardest=hardest,
            images=[dict(img_path=p, mIoU=s) for p, s in order],
        )
        path = folder / 'image_scores.json'
        path.write_text(json.dumps(found, indent=1), encoding='utf-8')


def _write_labels(path: Path, labels: np.ndarray, colours: np.ndarray) -> None:
    """Write class ids (H, W) as a PNG with a palette (256, 3)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    image.putpalette(colours.tobytes())
    image.save(path)
