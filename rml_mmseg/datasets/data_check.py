"""Reports on the files of a data set and what is wrong with them."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from .counted import counted
from .members import member_at
from .transforms.check_image import (
    check_image_file,
    image_loader,
    is_stock_loader,
    lost_bits,
    pixel_digest,
)
from .transforms.check_labels import CheckLabels

ORIENTATION = 0x0112


@dataclass
class SetReport:
    """Findings about one set of images.

    Attributes:
        name (str): Name of the set, such as ``labelled`` or ``val``.
        classes (tuple[str, ...]): Names of the classes; empty without masks.
        problems (list[str]): Faults at which training or scoring would fail.
        warnings (list[str]): Oddities that the user should look at.
        sizes (list[tuple[int, int]]): Height and width of each image.
        low, high (int): Smallest and largest pixel value.
        pixels, images (np.ndarray): Number of pixels of each class, and of
            images that show it, (K,) int64.
        ignored (int): Number of pixels of no class.
        digests (dict): Paths of the images by the hash of their pixels.
    """

    name: str
    classes: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    low: int = 255
    high: int = 0
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    images: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    ignored: int = 0
    digests: dict[str, list[str]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def lines(self) -> list[str]:
        """The report as lines of text."""
        lines = [f'{self.name}: {counted(len(self.sizes), "image")}']
        if self.sizes:
            for i, side in enumerate(('height', 'width')):
                values = sorted(size[i] for size in self.sizes)
                lines.append(
                    f'  {side} {values[0]} to {values[-1]} pixels, median '
                    f'{statistics.median_low(values)}'
                )
            lines.append(f'  values {self.low} to {self.high}')
        total = max(int(self.pixels.sum()) + self.ignored, 1)
        for k, name in enumerate(self.classes):
            lines.append(
                f'  class {k} {name}: {self.pixels[k] / total:.2%} of the '
                f'pixels, in {counted(int(self.images[k]), "image")}'
            )
        if self.classes:
            lines.append(f'  ignored: {self.ignored / total:.2%}')
        lines += [f'  problem: {text}' for text in self.problems]
        lines += [f'  warning: {text}' for text in self.warnings]
        return lines


class SetChecker:
    """Check the images and masks of a set, one after the other.

    Args:
        name (str): Name of the set.
        dataset (BaseDataset): A fully initialised stock data set.
        masks (bool): Whether its masks are checked, too.
    """

    def __init__(self, name: str, dataset: BaseDataset, masks: bool) -> None:
        classes = tuple(dataset.metainfo.get('classes') or ()) if masks else ()
        self.dataset = dataset
        self.masks = masks
        self.report = SetReport(name, classes)
        self.report.pixels = np.zeros(len(classes), np.int64)
        self.report.images = np.zeros(len(classes), np.int64)
        self._load = LoadAnnotations()
        self._check = CheckLabels(len(classes))

    def look(self, index: int) -> None:
        """Check one image, and its mask if masks are checked."""
        info = self.dataset.get_data_info(index)
        report = self.report
        try:
            loader = image_loader(member_at(self.dataset, index)[0])
            # Other loaders may read files that are not images.
            if type(loader) is LoadImageFromFile:
                check_image_file(info['img_path'])
            if is_stock_loader(loader):
                image = self._open(info['img_path'])
            else:
                image = loader(dict(info))['img']
            self._note(info['img_path'], image)
            if self.masks:
                self._count(info, image)
        except Exception as error:
            # A broken file may raise any exception.
            text = str(error)
            if info['img_path'] not in text:
                text = f'{info["img_path"]!r}: {text}'
            report.problems.append(text)

    def _open(self, path: str) -> np.ndarray:
        """Read an image as ``LoadImageFromFile`` does, (H, W, 3)."""
        report = self.report
        image = cv2.imread(path, cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f'{path!r} cannot be decoded')
        with Image.open(path) as file:
            turned = file.getexif().get(ORIENTATION, 1) != 1
            transparent = file.mode in ('RGBA', 'LA', 'PA')
        if transparent:
            report.warnings.append(
                f'{path!r} has an alpha channel, which is ignored: pixels '
                'that it hides are used like any other'
            )
        if turned and self.masks:
            report.warnings.append(
                f'{path!r} is rotated by its EXIF data: make sure that its '
                'mask was drawn on the rotated image'
            )
        lost = lost_bits(path, image)
        if lost is not None:
            report.problems.append(lost)
        return image

    def _note(self, path: str, image: np.ndarray) -> None:
        report = self.report
        low, high = int(image.min()), int(image.max())
        if low == high:
            report.warnings.append(f'{path!r} has a single colour, {low}')
        report.low, report.high = min(report.low, low), max(report.high, high)
        report.sizes.append(image.shape[:2])
        report.digests[pixel_digest(image)].append(path)

    def _count(self, info: dict, image: np.ndarray) -> None:
        path = info.get('seg_map_path')
        if path is None:
            raise ValueError(f'{info["img_path"]!r} has no mask')
        check_image_file(path)
        mask = self._load(dict(info, img=image))
        if self.report.classes:
            self._check(dict(mask, img=image))
        labels = mask['gt_seg_map']
        known = labels[labels < len(self.report.classes)]
        count = np.bincount(
            known.ravel(), minlength=len(self.report.classes)
        ).astype(np.int64)
        self.report.pixels += count
        self.report.images += count > 0
        self.report.ignored += labels.size - known.size
        if not known.size:
            self.report.warnings.append(f'{path!r} holds no class')

    def finish(self) -> SetReport:
        """Complete the report with findings about the whole set."""
        report = self.report
        # Masks that were refused were not counted.
        absent = () if report.problems else np.flatnonzero(report.images == 0)
        shown = np.flatnonzero(report.images)
        if len(report.classes) > 1 and report.ignored and len(shown) == 1:
            report.problems.append(
                f'masks hold only {shown[0]} ({report.classes[shown[0]]}) and '
                'ignored pixels. White is 255 in black-and-white masks, which '
                'is ignored: convert them, for example with '
                'tools/dataset_converters/image_folder.py --colour-table'
            )
        for k in absent:
            report.warnings.append(
                f'class {k} {report.classes[k]} is in no image'
            )
        for paths in report.digests.values():
            if len(paths) > 1:
                report.warnings.append(
                    f'{len(paths)} files are the same image: '
                    + ', '.join(sorted(paths)[:3])
                )
        return report


def shared_images(reports: Iterable[SetReport]) -> list[str]:
    """Find images with the same pixels in several sets.

    Args:
        reports (Iterable[SetReport]): Finished reports.

    Returns:
        list[str]: A line for each pair of sets that share images.
    """
    lines = []
    for first, second in combinations(reports, 2):
        both = first.digests.keys() & second.digests.keys()
        if not both:
            continue
        pairs = sorted(
            (first.digests[digest][0], second.digests[digest][0])
            for digest in both
        )
        examples = ', '.join(f'{a} = {b}' for a, b in pairs[:3])
        lines.append(
            f'{first.name} and {second.name} share '
            f'{counted(len(both), "image")}: {examples}'
        )
    return lines


def as_json(reports: Iterable[SetReport], shared: list[str]) -> Mapping:
    """The reports as dicts, lists and numbers that JSON can hold."""
    return dict(
        sets=[
            dict(
                name=report.name,
                images=len(report.sizes),
                values=[report.low, report.high],
                classes={
                    name: dict(
                        pixels=int(report.pixels[k]),
                        images=int(report.images[k]),
                    )
                    for k, name in enumerate(report.classes)
                },
                ignored=report.ignored,
                problems=report.problems,
                warnings=report.warnings,
            )
            for report in reports
        ],
        shared=shared,
    )
