"""Procedural grey textures of the textured scenes.

Every texture is a function of a ``Patch`` and returns a float64 pattern in
[0, 1] of the shape (H, W) of its coordinates.
"""

from typing import Callable, NamedTuple

import cv2
import numpy as np


class Patch(NamedTuple):
    """Region that a texture fills, and the texture's parameters.

    Attributes:
        y, x (np.ndarray): Coordinates of the pixels, (H, W).
        scale (float): Size of the pattern in pixels.
        angle (float): Direction of the pattern in radians.
        generator (np.random.Generator): Source of randomness.
    """

    y: np.ndarray
    x: np.ndarray
    scale: float
    angle: float
    generator: np.random.Generator

    def rotated(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates along and across the direction."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return self.x * cos + self.y * sin, self.y * cos - self.x * sin

    def noise(self, cell: float) -> np.ndarray:
        """Smooth noise of the patch's shape."""
        height, width = self.y.shape
        return smooth_noise(height, width, cell, self.generator)


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
        cell (float): Spacing of the grid's nodes in pixels.
        generator (np.random.Generator): Source of the grid's values.

    Returns:
        np.ndarray: float64 (height, width), roughly in [-1, 1].
    """
    rows = max(int(np.ceil(height / cell)) + 2, 2)
    columns = max(int(np.ceil(width / cell)) + 2, 2)
    grid = generator.uniform(-1, 1, (rows, columns))
    size = (round(columns * cell) + 1, round(rows * cell) + 1)
    noise = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
    return noise[:height, :width]


def stripes(patch: Patch) -> np.ndarray:
    """Parallel bands of equal width."""
    along, _ = patch.rotated()
    return _wave(along / patch.scale + patch.generator.uniform())


def checks(patch: Patch) -> np.ndarray:
    """Chequerboard."""
    along, across = patch.rotated()
    phase = patch.generator.uniform(size=2)
    first = _wave(along / patch.scale + phase[0])
    second = _wave(across / patch.scale + phase[1])
    return first * second + (1 - first) * (1 - second)


def dots(patch: Patch) -> np.ndarray:
    """Round dots on a square lattice."""
    along, across = patch.rotated()
    phase = patch.generator.uniform(0, 2 * np.pi, 2)
    bumps = np.cos(2 * np.pi * along / patch.scale + phase[0]) + np.cos(
        2 * np.pi * across / patch.scale + phase[1]
    )
    return 0.5 + 0.5 * np.tanh(2.5 * (bumps - 0.6))


def rings(patch: Patch) -> np.ndarray:
    """Concentric rings around a point near the region's centre."""
    y, x = patch.y, patch.x
    centre = patch.generator.uniform(-0.5, 0.5, 2) * patch.scale
    radius = np.hypot(
        y - y.mean() - centre[0], (x - x.mean() - centre[1]) * 1.2
    )
    return _wave(radius / patch.scale + patch.angle)


def grain(patch: Patch) -> np.ndarray:
    """Wavy fibres along one direction."""
    along, _ = patch.rotated()
    warp = patch.noise(2.5 * patch.scale)
    return _wave(along / patch.scale + 0.8 * warp, sharpness=1.2)


def brushed(patch: Patch) -> np.ndarray:
    """Irregular fine lines along one direction."""
    along, _ = patch.rotated()
    nodes = np.arange(
        along.min() - patch.scale, along.max() + patch.scale, 0.4 * patch.scale
    )
    return np.interp(along, nodes, patch.generator.uniform(size=nodes.size))


def chevron(patch: Patch) -> np.ndarray:
    """Zigzag bands, like leaf veins that branch from a midrib."""
    along, across = patch.rotated()
    period = 2.5 * patch.scale
    fold = np.abs(across / period + patch.generator.uniform()) % 1.0
    return _wave(along / patch.scale + 2.0 * np.abs(fold - 0.5))


def cells(patch: Patch) -> np.ndarray:
    """Irregular cells of different greys with dark seams."""
    y, x, scale = patch.y, patch.x, patch.scale
    rows, columns = (
        int(np.ceil(np.ptp(each) / (1.6 * scale))) + 2 for each in (y, x)
    )
    grid = np.stack(
        np.meshgrid(np.arange(rows), np.arange(columns), indexing='ij'), -1
    ).reshape(-1, 2)
    jitter = patch.generator.uniform(-0.45, 0.45, grid.shape)
    points = (grid + jitter) * 1.6 * scale
    gap = np.hypot(
        (y - y.min())[..., None] - points[:, 0],
        (x - x.min())[..., None] - points[:, 1],
    )
    nearest = np.argmin(gap, axis=-1)
    two = np.partition(gap, 1, axis=-1)[..., :2]
    seam = np.clip((two[..., 1] - two[..., 0]) / 1.5, 0, 1)
    greys = patch.generator.uniform(0.35, 1.0, len(points))
    return greys[nearest] * seam


def facets(patch: Patch) -> np.ndarray:
    """Flat sectors around the region's centre, each of its own grey."""
    y, x = patch.y, patch.x
    sectors = int(patch.generator.integers(5, 9))
    theta = np.arctan2(y - y.mean(), x - x.mean()) + patch.angle
    index = np.floor(theta / (2 * np.pi) * sectors).astype(np.int64)
    alternating = np.arange(sectors) % 2 * 0.6
    greys = alternating + patch.generator.uniform(0, 0.4, sectors)
    return greys[index % sectors]


def clouds(patch: Patch) -> np.ndarray:
    """Soft blotches: two octaves of smooth noise."""
    coarse = patch.noise(3 * patch.scale)
    fine = patch.noise(patch.scale)
    return np.clip(0.5 + 0.45 * coarse + 0.25 * fine, 0, 1)


def speckle(patch: Patch) -> np.ndarray:
    """Fine grit over soft blotches."""
    grit = patch.generator.uniform(size=patch.y.shape)
    soft = patch.noise(2 * patch.scale)
    return np.clip(0.45 * grit + 0.3 + 0.25 * soft, 0, 1)


TEXTURES: dict[str, Callable[[Patch], np.ndarray]] = {
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
