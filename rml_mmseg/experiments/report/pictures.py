"""Pictures that are embedded in the page."""

import base64
from pathlib import Path
from typing import Optional

import cv2
import numpy as np
from PIL import Image

from rml_mmseg.visualization import class_colours

from ..scalars import spread
from .run import Run

WIDTH = 480
"""Width of a hard image, pixels."""


def data_uri(picture: np.ndarray, quality: int = 85) -> str:
    """Encode a picture (H, W, 3), BGR, as the data URI of a JPEG."""
    done, encoded = cv2.imencode(
        '.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise ValueError('a picture cannot be encoded as JPEG')
    text = base64.b64encode(encoded.tobytes()).decode()
    return f'data:image/jpeg;base64,{text}'


def panel_pictures(run: Run, most: int = 6) -> list[dict]:
    """Panels over time: iteration and data URI of each picture."""
    found = []
    for step, path in spread(run.panels, most):
        picture = cv2.imread(str(path))
        if picture is not None:
            found.append(dict(step=step, uri=data_uri(picture)))
    return found


def hard_images(run: Run, most: int = 8) -> list[dict]:
    """Image, ground truth and prediction of the worst images first."""
    if not run.images or run.images_folder is None:
        return []
    classes = run.images['classes']
    colours = class_colours(len(classes), run.images.get('palette'))
    found = []
    for entry in run.images['hardest'][:most]:
        maps = []
        for kind in ('truth', 'prediction'):
            labels = _read_labels(run.images_folder / entry[kind])
            maps.append(None if labels is None else colours[labels][..., ::-1])
        image = _read_image(entry['img_path'], maps)
        shown = [part for part in (image, *maps) if part is not None]
        ious = sorted(entry['IoU'].items(), key=lambda pair: pair[1])
        found.append(
            dict(
                name=Path(entry['img_path']).name,
                score=100 * entry['mIoU'],
                worst=[(name, 100 * value) for name, value in ious[:3]],
                uris=[data_uri(_fit(part)) for part in shown],
            )
        )
    return found


def _read_labels(path: Path) -> Optional[np.ndarray]:
    """Class ids (H, W); None if the file is missing or incomplete."""
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    except OSError:
        return None


def _read_image(path: str, maps: list) -> Optional[np.ndarray]:
    """Image at the size of its label maps; None if the file is gone."""
    image = cv2.imread(path)
    size = next((part.shape[:2] for part in maps if part is not None), None)
    if image is not None and size is not None and image.shape[:2] != size:
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    return image


def _fit(picture: np.ndarray) -> np.ndarray:
    """Shrink a picture to at most ``WIDTH``."""
    height, width = picture.shape[:2]
    if width <= WIDTH:
        return np.ascontiguousarray(picture)
    size = (WIDTH, max(1, round(height * WIDTH / width)))
    return cv2.resize(
        np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA
    )
