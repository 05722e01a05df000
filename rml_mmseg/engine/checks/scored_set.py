"""Checks that the images to be scored exist, and can be scored."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.evaluation import IoUMetric

from rml_mmseg.datasets.load_item import check_files
from rml_mmseg.datasets.members import image_files, members
from rml_mmseg.evaluation.metrics import (
    ClassIoUMetric,
    LearnersIoUMetric,
)
from rml_mmseg.setting_checks import check_choice, did_you_mean

IOU_METRICS = ['mIoU', 'mDice', 'mFscore']


def check_scored_set(loop: Any, part: str) -> None:
    """Make sure that images can be scored: their files, names and metrics.

    Args:
        loop (ValLoop | TestLoop): Built loop.
        part (str): ``'val'`` or ``'test'``.

    Raises:
        ValueError: If there is no image, a metric has no such score, or two
            label maps would have the same name.
        FileNotFoundError: If a file is missing.
    """
    setting = f'{part}_dataloader.dataset'
    dataset = loop.dataloader.dataset
    if not len(dataset):
        raise ValueError(
            f'{setting} has no image: check its data_prefix, img_suffix and '
            'ann_file'
        )
    metrics = list(iou_metrics(loop))
    for metric in metrics:
        for name in metric.metrics:
            check_choice(f'{part}_evaluator.iou_metrics', name, IOU_METRICS)
    scored = any(not metric.format_only for metric in metrics)
    hint = (
        '. To predict label maps of images without masks, remove '
        f'LoadAnnotations from {setting}.pipeline and set '
        f'{part}_evaluator.format_only=True and its output_dir'
    )
    for member in plain_members(dataset):
        loads = any(
            isinstance(step, LoadAnnotations)
            for step in member.pipeline.transforms
        )
        for info in map(member.get_data_info, range(len(member))):
            if 'img_path' in info:
                check_files(member, info, setting, scored or loads, hint)
    if any(metric.output_dir for metric in metrics):
        check_names(dataset, f'{part}_evaluator.output_dir')


def check_save_best(loop: Any, hooks: Iterable[Any]) -> None:
    """Make sure that the validation computes the score of ``save_best``.

    Args:
        loop (ValLoop): Built loop.
        hooks (Iterable[Hook]): Hooks of the run.

    Raises:
        ValueError: If ``save_best`` names none of the scores.
    """
    names = score_names(loop)
    for hook in hooks:
        wanted = getattr(hook, 'key_indicators', None) or []
        for name in wanted if names else ():
            if name == 'auto' or name in names:
                continue
            raise ValueError(
                f'default_hooks.checkpoint.save_best={name!r} is not a score '
                f'of the validation{_hint(name, names)} Known: '
                f'{sorted(names)}'
            )


def _hint(name: str, names: set[str]) -> str:
    """Hint at the setting that would add a missing score, or a full stop."""
    *learner, score = name.rsplit('/', 1)
    kind, _, single = score.partition('.')
    if learner and score in names:
        return f': add {learner[0]!r} to val_evaluator.learners.'
    if single and f'm{kind}' in IOU_METRICS:
        return f': set val_evaluator.classes=[{single!r}].'
    if score in IOU_METRICS:
        return f': add {score!r} to val_evaluator.iou_metrics.'
    return did_you_mean(name, sorted(names)) or '.'


def score_names(loop: Any) -> set[str]:
    """Names of the scores of a validation; empty if not all are known."""
    found = set()
    for metric in loop.evaluator.metrics:
        learners = ['']
        if type(metric) is LearnersIoUMetric:
            learners += [f'{name}/' for name in metric.others]
            metric = metric.deployed
        if type(metric) is IoUMetric:
            own = ClassIoUMetric(iou_metrics=metric.metrics).score_names()
        elif type(metric) is ClassIoUMetric:
            own = metric.score_names()
        else:
            # Another class may have scores of its own.
            return set()
        prefix = f'{metric.prefix}/' if metric.prefix else ''
        found |= {f'{prefix}{a}{score}' for a in learners for score in own}
    return found


def plain_members(dataset: Any) -> list[BaseDataset]:
    """The data sets in a plain or joined one; none of any other kind."""
    try:
        return members(dataset)
    except TypeError:
        return []


def iou_metrics(loop: Any) -> Iterator[IoUMetric]:
    """IoU metrics of a loop; if for several learners, that of the deployed."""
    for metric in loop.evaluator.metrics:
        if isinstance(metric, LearnersIoUMetric):
            yield metric.deployed
        elif isinstance(metric, IoUMetric):
            yield metric


def check_names(dataset: Any, setting: str) -> None:
    """Refuse to write predictions if one would overwrite another.

    Both the metric and the visualiser name a file after its image alone,
    without the folder.

    Args:
        dataset (BaseDataset | ConcatDataset): Images to predict.
        setting (str): Setting or option that has predictions written.

    Raises:
        ValueError: If images in different folders have the same name.
    """
    seen: dict[str, str] = {}
    for path in image_files(dataset):
        other = seen.setdefault(Path(path).stem, path)
        if other != path:
            raise ValueError(
                f'{setting} would write {other!r} and {path!r} to the same '
                'file: predict one folder at a time, set by data_prefix or '
                'ann_file of the data set'
            )
