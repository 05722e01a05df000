"""Procedural grey textures of the textured scenes.

Every texture is a pure function of pixel coordinates, a scale in pixels, an
angle in radians and a random generator, and returns a float64 pattern in
[0, 1] of the coordinates' shape (H, W).
"""

from typing import Callable

import cv2
import numpy as np

Array = np.ndarray
Texture = Callable[
    [np.ndarray, np.ndarray, float, float, np.random.Generator], np.ndarray
]


def _rotate(
    y: np.ndarray, x: np.ndarray, angle: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across the direction ``angle``."""
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos + y * sin, y * cos - x * sin


def _wave(phase: np.ndarray, sharpness: float = 3.0) -> np.ndarray:
    """Rounded square wave in [0, 1] with period 1."""
    return 0.5 + 0.5 * np.tanh(sharpness * np.sin(2 * np.pi * phase))


def smooth_noise(
    height: int, width: int, cell: float, generator: np.random.Generator
) -> np.ndarray:
    """Band-limited noise: a random grid enlarged bicubically.

    Args:
        height (int): Height in pixels.
        width (int): Width in pixels.
        cell (float): Distance of the grid's nodes in pixels.
        generator (np.random.Generator): Source of the grid.

    Returns:
        np.ndarray: float64 (height, width), about in [-1, 1].
    """
    rows = max(int(np.ceil(height / cell)) + 2, 2)
    columns = max(int(np.ceil(width / cell)) + 2, 2)
    grid = generator.uniform(-1, 1, (rows, columns))
    size = (round(columns * cell) + 1, round(rows * cell) + 1)
    noise = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
    return noise[:height, :width]


def _noise_like(
    y: Array, cell: float, generator: np.random.Generator
) -> Array:
    """Smooth noise of the shape of ``y``."""
    return smooth_noise(y.shape[0], y.shape[1], cell, generator)


def stripes(
    y: Array,
    x: Array,
    scale: float,
    angle: float,
    generator: np.random.Generator,
) -> Array:
    """Parallel bands of equal width."""
    along, _ = _rotate(y, x, angle)
    return _wave(along / scale + generator.uniform())


def checks(
    y: Array,
    x: Array,
    scale: float,
    angle: float,
    generator: np.random.Generator,
) -> Array:
    """Chequered fields."""
    along, across = _rotate(y, x, angle)
    phase = generator.uniform(size=2)
    first = _wave(along / scale + phase[0])
    second = _wave(across / scale + phase[1])
    return first * second + (1 - first) * (1 - second)


def dots(
    y: Array,
    x: Array,
    scale: float,
    angle: float,
    generator: np.random.Generator,
) -> Array:
    """Round dots on a square lattice."""
    along, across = _rotate(y, x, angle)
    phase = generator.uniform(0, 2 * np.pi, 2)
    bumps = np.cos(2 * np.pi * along / scale + phase[0]) + np.cos(
        2 * np.pi * across / scale + phase[1]
    )
    return 0.5 + 0.5 * np.tanh(2.5 * (bumps - 0.6))


def rings(
    y: Array,
    x: Array,
    scale: float,
    angle: float,
    generator: np.random.Generator,
) -> Array:
    """Concentric rings around a point near the region's centre."""
    centre = generator.uniform(-0.5, 0.5, 2) * scale
    radius = np.hypot(
        y - y.mean() - centre[0], (x - x.mean() - centre[1]) * 1.2
    )
    return _wave(radius / scale + angle)


def grain(
    y: Array,
    x: Array,
    scale: float,
    angle: float,
    generator: np.random.Generator,
) -> Array:
    """Wavy fibres along one direction."""
    along, _ = _rotate(y, x, angle)
    warp = _noise_like(y, 2.5 * scale, generator)
    return _wave(along / scale + 0.8 * warp, sharpness=1.2)


def brushed(
    y: Array,
    x: Array,
    scale: float,
    angle: float,
    generator: np.random.Generator,
) -> Array:
    """Irregular fine lines along one direction."""
    along, _ = _rotate(y, x, angle)
    nodes = np.arange(along.min() - scale, along.max() + scale, 0.4 * scale)
    return np.interp(along, nodes, generator.uniform(size=nodes.size))


def chevron(
    y: Array,
    x: Array,
    scale: float,
    angle: float,
    generator: np.random.Generator,
) -> Array:
    """Zigzag bands, as of veins that leave a middle rib."""
    along, across = _rotate(y, x, angle)
    period = 2.5 * scale
    fold = np.abs(across / period + generator.uniform()) % 1.0
    return _wave(along / scale + 2.0 * np.abs(fold - 0.5))


def cells(
    y: Array,
    x: Array,
    scale: float,
    angle: float,
    generator: np.random.Generator,
) -> Array:
    """Irregular cells of different greys with dark seams."""
    rows, columns = _cell_count(y, scale), _cell_count(x, scale)
    grid = np.stack(
        np.meshgrid(np.arange(rows), np.arange(columns), indexing='ij'), -1
    ).reshape(-1, 2)
    jitter = generator.uniform(-0.45, 0.45, grid.shape)
    points = (grid + jitter) * 1.6 * scale
    gap = np.hypot(
        (y - y.min())[..., None] - points[:, 0],
        (x - x.min())[..., None] - points[:, 1],
    )
    nearest = np.argmin(gap, axis=-1)
    two = np.partition(gap, 1, axis=-1)[..., :2]
    seam = np.clip((two[..., 1] - two[..., 0]) / 1.5, 0, 1)
    greys = generator.uniform(0.35, 1.0, len(points))
    return greys[nearest] * seam


def _cell_count(coordinates: np.ndarray, scale: float) -> int:
    return int(np.ceil(np.ptp(coordinates) / (1.6 * scale))) + 2


def facets(
    y: Array,
    x: Array,
    scale: float,
    angle: float,
    generator: np.random.Generator,
) -> Array:
    """Flat sectors around the region's centre, each of its own grey."""
    sectors = int(generator.integers(5, 9))
    theta = np.arctan2(y - y.mean(), x - x.mean()) + angle
    index = np.floor(theta / (2 * np.pi) * sectors).astype(np.int64)
    alternating = np.arange(sectors) % 2 * 0.6
    greys = alternating + generator.uniform(0, 0.4, sectors)
    return greys[index % sectors]


def clouds(
    y: Array,
    x: Array,
    scale: float,
    angle: float,
    generator: np.random.Generator,
) -> Array:
    """Soft blotches: two octaves of smooth noise."""
    coarse = _noise_like(y, 3 * scale, generator)
    fine = _noise_like(y, scale, generator)
    return np.clip(0.5 + 0.45 * coarse + 0.25 * fine, 0, 1)


def speckle(
    y: Array,
    x: Array,
    scale: float,
    angle: float,
    generator: np.random.Generator,
) -> Array:
    """Fine grit over soft blotches."""
    grit = generator.uniform(size=y.shape)
    soft = _noise_like(y, 2 * scale, generator)
    return np.clip(0.45 * grit + 0.3 + 0.25 * soft, 0, 1)


TEXTURES: dict[str, Texture] = {
    function.__name__: function
    for function in (
        stripes,
        checks,
        dots,
        rings,
        grain,
        brushed,
        chevron,
        cells,
        facets,
        clouds,
        speckle,
    )
}
