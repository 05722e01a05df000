"""Seeded generator of the textured scenes."""

import colorsys

import numpy as np

from rml_mmseg.setting_checks import check_choice, check_count

from .scene_classes import SCENE_CLASSES, SceneClass
from .scene_shapes import SHAPES, fill, turn
from .scene_textures import TEXTURES, Patch, smooth_noise

ANCHORS_PER_CLASS = 6


class SceneGenerator:
    """Generator of images of textured objects with exact masks.

    Each class owns a closed loop of appearances: anchors of hue, saturation,
    brightness, texture and texture scale drawn once from the seed, and every
    object lies somewhere on its class's loop. A few labelled images show
    short pieces of each loop, many unlabelled ones show all of it, and
    colours of different classes overlap.

    Scene ``index`` of a split depends on the seed, the split and the index
    alone, so scenes may be generated in any order and by any process.

    Args:
        seed (int): Seed of appearances and scenes, at least 0.
        height (int): Height of the images in pixels. Defaults to 96.
        width (int): Width of the images in pixels. Defaults to 96.

    Raises:
        ValueError: If ``seed`` is negative or a side is below 32 pixels.
    """

    SPLITS = ('train', 'test')

    def __init__(self, seed: int, height: int = 96, width: int = 96) -> None:
        check_count('seed', seed, 0)
        if min(height, width) < 32:
            raise ValueError(
                'height and width must be at least 32 pixels, but are '
                f'{height} and {width}'
            )
        self.seed = seed
        self.height = height
        self.width = width
        self._y, self._x = np.mgrid[:height, :width].astype(np.float64)
        generator = np.random.default_rng([seed, 0])
        self._anchors = [
            self._draw_anchors(kind, generator) for kind in SCENE_CLASSES
        ]

    @staticmethod
    def _draw_anchors(
        kind: SceneClass, generator: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Draw the corners of one class's loop of appearances."""
        count = ANCHORS_PER_CLASS
        return dict(
            hue=generator.uniform(*kind.hue, count),
            accent=generator.uniform(-0.25, 0.25, count),
            saturation=generator.uniform(*kind.saturation, count),
            value=generator.uniform(0.45, 1.0, count),
            contrast=generator.uniform(0.45, 0.9, count),
            scale=np.exp(generator.uniform(np.log(4), np.log(9), count)),
        )

    def _draw_appearance(
        self, label: int, generator: np.random.Generator
    ) -> dict[str, float]:
        """Draw a random point on the loop of class ``label``."""
        place = generator.uniform(0, ANCHORS_PER_CLASS)
        low = int(place)
        high = (low + 1) % ANCHORS_PER_CLASS
        part = place - low
        look = {
            name: (1 - part) * values[low] + part * values[high]
            for name, values in self._anchors[label].items()
        }
        # Hue is an angle: go the short way round.
        hue = self._anchors[label]['hue']
        step = (hue[high] - hue[low] + 0.5) % 1.0 - 0.5
        look['hue'] = hue[low] + part * step
        look['texture'] = low if part < 0.5 else high
        return look

    def _paint(
        self,
        label: int,
        region: tuple[slice, slice],
        generator: np.random.Generator,
    ) -> np.ndarray:
        """Paint a textured, shaded surface of a region, (h, w, 3)."""
        look = self._draw_appearance(label, generator)
        names = SCENE_CLASSES[label].textures
        texture = TEXTURES[names[int(look['texture']) % len(names)]]
        y, x = self._y[region], self._x[region]
        angle = generator.uniform(0, np.pi)
        pattern = texture(Patch(y, x, look['scale'], angle, generator))

        hue, value = look['hue'], look['value']
        light = np.array(
            colorsys.hsv_to_rgb(hue % 1.0, look['saturation'], value)
        )
        dark = np.array(
            colorsys.hsv_to_rgb(
                (hue + look['accent']) % 1.0,
                min(1.0, 1.2 * look['saturation']),
                value * (1 - look['contrast']),
            )
        )
        surface = dark + pattern[..., None] * (light - dark)
        direction = generator.uniform(0, 2 * np.pi)
        slope = np.cos(direction) * (y - y.mean()) / np.ptp(y)
        slope = slope + np.sin(direction) * (x - x.mean()) / np.ptp(x)
        shade = 1 + generator.uniform(0.1, 0.5) * slope
        return surface * shade[..., None]

    def _draw_outline(
        self, label: int, generator: np.random.Generator
    ) -> np.ndarray:
        """Draw the pixels of a new object of class ``label``, bool (H, W)."""
        kind = SCENE_CLASSES[label]
        name = kind.shape
        if generator.uniform() < 0.1:
            name = str(generator.choice(list(SHAPES)))
        radius = generator.uniform(*kind.size) * min(self.height, self.width)
        angle = generator.uniform(0, 2 * np.pi)
        vertices = turn(SHAPES[name](radius, generator), angle)
        centre = np.array(
            [
                generator.uniform(0.02, 0.98) * self.width,
                generator.uniform(*kind.height) * self.height,
            ]
        )
        return fill(vertices, centre, self.height, self.width)

    def _light(
        self, image: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """Add illumination, colour cast and sensor noise to a whole image."""
        gain = generator.uniform(0.65, 1.25)
        lamp = smooth_noise(self.height, self.width, self.width, generator)
        cast = generator.uniform(0.88, 1.12, 3)
        lit = np.clip(image * gain * (1 + 0.3 * lamp[..., None]) * cast, 0, 1)
        lit = lit ** generator.uniform(0.8, 1.25)
        noise = generator.standard_normal(lit.shape)
        return lit + generator.uniform(0.01, 0.045) * noise

    def generate(
        self, split: str, index: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Generate one scene.

        Args:
            split (str): 'train' or 'test'.
            index (int): Number of the scene in its split, at least 0.

        Returns:
            tuple[np.ndarray]: RGB image, uint8 (H, W, 3), and class ids,
            uint8 (H, W).

        Raises:
            ValueError: If ``split`` is unknown.
        """
        check_choice('split', split, self.SPLITS)
        generator = np.random.default_rng(
            [self.seed, 1 + self.SPLITS.index(split), index]
        )
        everywhere = (slice(None), slice(None))
        image = self._paint(0, everywhere, generator)
        mask = np.zeros((self.height, self.width), dtype=np.uint8)

        rate = np.array([kind.frequency for kind in SCENE_CLASSES[1:]])
        count = int(generator.integers(5, 9))
        labels = 1 + generator.choice(
            len(rate), size=count, p=rate / rate.sum()
        )
        # Later objects hide earlier ones.
        for label in labels:
            inside = self._draw_outline(int(label), generator)
            rows = np.flatnonzero(inside.any(axis=1))
            columns = np.flatnonzero(inside.any(axis=0))
            if min(rows.size, columns.size) < 2:
                continue
            region = (
                slice(rows[0], rows[-1] + 1),
                slice(columns[0], columns[-1] + 1),
            )
            surface = self._paint(int(label), region, generator)
            image[region][inside[region]] = surface[inside[region]]
            mask[inside] = label
        lit = self._light(image, generator)
        return np.rint(np.clip(lit, 0, 1) * 255).astype(np.uint8), mask
