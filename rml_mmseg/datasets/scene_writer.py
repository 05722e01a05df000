"""Writing the textured scenes to disk once, and verifying them later."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np

from rml_mmseg.setting_checks import check_count

from .scene_classes import SCENE_CLASSES
from .scene_generator import SceneGenerator
from .splits import list_text

PROVENANCE = 'provenance.json'
# Increase with every change of the generator that alters a pixel.
VERSION = 2
# A class with fewer pixels than this teaches next to nothing.
MIN_PIXELS = 100


def choose_labelled(
    pixels: np.ndarray, count: int, generator: np.random.Generator
) -> np.ndarray:
    """Choose random images that together show every class.

    Args:
        pixels (np.ndarray): Pixels of each class in each image, (N, K).
        count (int): Number of images to choose.
        generator (np.random.Generator): Source of randomness.

    Returns:
        np.ndarray: Sorted indices (count,). Every class has at least
        ``MIN_PIXELS`` pixels in one of the images.

    Raises:
        ValueError: If no such choice is found in 1000 draws.
    """
    shown = pixels >= MIN_PIXELS
    for _ in range(1000):
        chosen = generator.permutation(len(pixels))[:count]
        if shown[chosen].any(axis=0).all():
            return np.sort(chosen)
    raise ValueError(
        f'labelled={count} of {len(pixels)} images do not show all '
        f'{pixels.shape[1]} classes in 1000 draws. Use more labelled images '
        'or more images'
    )


def digest(root: Path) -> dict[str, str]:
    """Checksums of the scenes' contents.

    Images are hashed by their decoded pixels, so that another PNG encoder
    gives the same checksum.

    Args:
        root (Path): Folder of the data set.

    Returns:
        dict[str, str]: SHA-256 of each image folder, mask folder and split
        file, by path. An unreadable image changes its folder's checksum.
    """
    sums = {}
    for folder in sorted(root.glob('*_dir/*')):
        total = hashlib.sha256()
        for path in sorted(folder.glob('*.png')):
            array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            total.update(path.name.encode())
            if array is not None:
                total.update(str(array.shape).encode() + array.tobytes())
        sums[folder.relative_to(root).as_posix()] = total.hexdigest()
    for path in sorted((root / 'splits').glob('*.txt')):
        name = path.relative_to(root).as_posix()
        sums[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return sums


def _read_provenance(root: Path) -> dict[str, Any]:
    try:
        return json.loads((root / PROVENANCE).read_text('utf-8'))
    except (OSError, ValueError):
        return {}


def is_complete(root: Path, settings: dict[str, Any]) -> bool:
    """Whether ``root`` holds exactly the scenes of ``settings``.

    Args:
        root (Path): Folder of the data set.
        settings (dict): Settings as :func:`write_textured_scenes` records
            them.

    Returns:
        bool: True if settings and all checksums agree.
    """
    provenance = _read_provenance(root)
    return provenance.get('settings') == settings and provenance.get(
        'sha256'
    ) == digest(root)


def _write_split(
    root: Path, generator: SceneGenerator, split: str, count: int
) -> np.ndarray:
    """Write one split and return the pixels of each class, (N, K)."""
    images, masks = root / 'img_dir' / split, root / 'ann_dir' / split
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    pixels = np.zeros((count, len(SCENE_CLASSES)), dtype=np.int64)
    for index in range(count):
        image, mask = generator.generate(split, index)
        name = f'scene_{index:04d}.png'
        # An explicit level: file sizes do not depend on encoder defaults.
        level = [cv2.IMWRITE_PNG_COMPRESSION, 6]
        mmcv.imwrite(image[..., ::-1], str(images / name), level)
        mmcv.imwrite(mask, str(masks / name), level)
        pixels[index] = np.bincount(mask.ravel(), minlength=len(SCENE_CLASSES))
    return pixels


def write_textured_scenes(
    out: Path,
    seed: int = 0,
    train: int = 300,
    test: int = 100,
    labelled: int = 12,
    height: int = 96,
    width: int = 96,
) -> bool:
    """Write images, masks, split lists and provenance, unless they exist.

    The files are written to a folder beside ``out``, which is renamed to
    ``out`` once it is complete, so an interrupted run leaves nothing half
    done. A folder whose files or settings differ is written again.

    Args:
        out (Path): Folder of the data set.
        seed (int): Seed of everything random. Defaults to 0.
        train (int): Number of training images. Defaults to 300.
        test (int): Number of test images. Defaults to 100.
        labelled (int): Number of training images in ``labelled.txt``; the
            others go to ``unlabelled.txt``. Defaults to 12.
        height (int): Height of the images in pixels. Defaults to 96.
        width (int): Width of the images in pixels. Defaults to 96.

    Returns:
        bool: True if the files were written, False if they were there.

    Raises:
        ValueError: If ``labelled`` is not between 1 and ``train``, or too
            small to show every class.
        FileExistsError: If ``out`` holds something else.
    """
    if not 1 <= labelled <= train:
        raise ValueError(
            f'labelled must be between 1 and train={train}, but is {labelled}'
        )
    check_count('test', test, 1)
    settings = dict(
        version=VERSION,
        seed=seed,
        train=train,
        test=test,
        labelled=labelled,
        height=height,
        width=width,
    )
    if is_complete(out, settings):
        return False
    ours = (out / PROVENANCE).is_file()
    if out.exists() and not ours and any(out.iterdir()):
        raise FileExistsError(
            f'{out} holds files but no {PROVENANCE}, so it is not a folder '
            'of textured scenes. Choose another folder or empty it'
        )

    partial = out.with_name(f'.{out.name}.partial')
    shutil.rmtree(partial, ignore_errors=True)
    generator = SceneGenerator(seed, height, width)
    pixels = _write_split(partial, generator, 'train', train)
    test_pixels = _write_split(partial, generator, 'test', test)
    chosen = choose_labelled(
        pixels, labelled, np.random.default_rng([seed, 3])
    )
    names = [f'scene_{index:04d}' for index in range(max(train, test))]
    rest = np.setdiff1d(np.arange(train), chosen)
    splits = partial / 'splits'
    splits.mkdir()
    for title, own in (
        ('labelled', [names[i] for i in chosen]),
        ('unlabelled', [names[i] for i in rest]),
        ('train', names[:train]),
        ('test', names[:test]),
    ):
        (splits / f'{title}.txt').write_text(list_text(own), 'utf-8')

    def share(counts: np.ndarray) -> list[float]:
        return (counts.sum(axis=0) / counts.sum()).round(4).tolist()

    provenance = dict(
        source='generated by rml_mmseg.datasets.SceneGenerator',
        settings=settings,
        made_with=dict(numpy=np.__version__, opencv=cv2.__version__),
        classes=[kind.name for kind in SCENE_CLASSES],
        class_share=dict(
            train=share(pixels),
            labelled=share(pixels[chosen]),
            test=share(test_pixels),
        ),
        sha256=digest(partial),
    )
    (partial / PROVENANCE).write_text(
        json.dumps(provenance, indent=2) + '\n', 'utf-8'
    )
    if out.exists():
        shutil.rmtree(out)
    partial.rename(out)
    return True
