"""Outlines of the objects in the textured scenes.

Every shape is a function of a radius in pixels and a random generator. It
returns the vertices of a closed, unrotated polygon around the origin,
float64 (P, 2) as (x, y).
"""

from typing import Callable

import cv2
import numpy as np

Shape = Callable[[float, np.random.Generator], np.ndarray]


def turn(points: np.ndarray, angle: float) -> np.ndarray:
    """Rotate vertices (P, 2) around the origin by an angle in radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


def _polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)


def rectangle(radius: float, generator: np.random.Generator) -> np.ndarray:
    """Rectangle with sides of similar length."""
    half_width = radius * generator.uniform(0.75, 1.0)
    half_height = radius * generator.uniform(0.55, 0.9)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)
    return corners * [half_width, half_height]


def bar(radius: float, generator: np.random.Generator) -> np.ndarray:
    """Long, narrow rectangle."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)
    half_height = radius * generator.uniform(0.2, 0.32)
    return corners * [1.6 * radius, half_height]


def ellipse(radius: float, generator: np.random.Generator) -> np.ndarray:
    """Nearly round ellipse."""
    theta = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    stretch = [radius, radius * generator.uniform(0.7, 1.0)]
    return _polar(np.ones_like(theta), theta) * stretch


def blob(radius: float, generator: np.random.Generator) -> np.ndarray:
    """Smooth irregular outline: a circle with three random harmonics."""
    theta = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    outline = np.ones_like(theta)
    for order in (2, 3, 5):
        height = generator.uniform(0.08, 0.22)
        phase = generator.uniform(0, 2 * np.pi)
        outline += height * np.cos(order * theta + phase)
    return _polar(radius * outline, theta)


def lens(radius: float, generator: np.random.Generator) -> np.ndarray:
    """Pointed oval, like a leaf."""
    t = np.linspace(-1, 1, 24)
    width = generator.uniform(0.4, 0.6)
    edge = np.stack([1.3 * t, width * (1 - t * t)], -1)
    outline = np.concatenate([edge, edge[::-1] * [1, -1]])
    return radius * outline


def polygon(radius: float, generator: np.random.Generator) -> np.ndarray:
    """Regular triangle, pentagon or hexagon."""
    corners = int(generator.choice([3, 5, 6]))
    theta = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return _polar(np.full(corners, 1.1 * radius), theta)


def star(radius: float, generator: np.random.Generator) -> np.ndarray:
    """Star with four to six points."""
    points = int(generator.integers(4, 7))
    theta = np.linspace(0, 2 * np.pi, 2 * points, endpoint=False)
    reach = np.where(np.arange(2 * points) % 2 == 0, 1.25, 0.55)
    return _polar(radius * reach, theta)


SHAPES: dict[str, Shape] = {
    function.__name__: function
    for function in (rectangle, bar, ellipse, blob, lens, polygon, star)
}


def fill(
    vertices: np.ndarray, centre: np.ndarray, height: int, width: int
) -> np.ndarray:
    """Pixels inside a polygon.

    Args:
        vertices (np.ndarray): Polygon around the origin, (P, 2) as (x, y).
        centre (np.ndarray): Position of the origin in the image, (x, y).
        height (int): Height of the image in pixels.
        width (int): Width of the image in pixels.

    Returns:
        np.ndarray: bool (height, width).
    """
    mask = np.zeros((height, width), dtype=np.uint8)
    corners = np.rint(vertices + centre).astype(np.int32)
    cv2.fillPoly(mask, [corners], 1)
    return mask.astype(bool)
