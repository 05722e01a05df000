"""The classes of the textured scenes and their properties."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SceneClass:
    """Common properties of the objects of one class.

    Args:
        name (str): Class name.
        colour (tuple[int]): RGB colour in the palette of the masks.
        textures (tuple[str]): Names in ``TEXTURES``.
        hue (tuple[float]): Range on the hue circle, 1 being a full turn.
        saturation (tuple[float]): Range of the saturation.
        shape (str): Name in ``SHAPES`` of most of its objects.
        size (tuple[float]): Range of the radius as a fraction of the image's
            shorter side.
        height (tuple[float]): Range of the objects' centres as a fraction of
            the image's height; 0 is the top.
        frequency (float): Relative number of its objects.
    """

    name: str
    colour: tuple[int, int, int]
    textures: tuple[str, ...]
    hue: tuple[float, float]
    saturation: tuple[float, float] = (0.35, 0.9)
    shape: str = ''
    size: tuple[float, float] = (0.15, 0.28)
    height: tuple[float, float] = (0.05, 0.95)
    frequency: float = 1.0


# Some textures and all hues belong to several classes, so that no texture,
# colour or outline identifies a class by itself.
SCENE_CLASSES: tuple[SceneClass, ...] = (
    SceneClass(
        name='background',
        colour=(90, 90, 90),
        textures=('clouds', 'speckle'),
        hue=(0.0, 1.0),
        saturation=(0.05, 0.35),
    ),
    SceneClass(
        name='cloth',
        colour=(220, 60, 60),
        textures=('stripes', 'checks'),
        hue=(0.88, 1.2),
        shape='rectangle',
    ),
    SceneClass(
        name='stone',
        colour=(150, 110, 60),
        textures=('cells', 'clouds'),
        hue=(0.04, 0.36),
        shape='blob',
        height=(0.45, 0.98),
        frequency=1.2,
    ),
    SceneClass(
        name='leaf',
        colour=(60, 180, 80),
        textures=('chevron', 'grain'),
        hue=(0.22, 0.54),
        shape='lens',
        height=(0.02, 0.55),
        frequency=1.2,
    ),
    SceneClass(
        name='bead',
        colour=(60, 120, 230),
        textures=('dots', 'rings'),
        hue=(0.4, 0.72),
        shape='ellipse',
    ),
    SceneClass(
        name='timber',
        colour=(240, 170, 50),
        textures=('grain', 'brushed'),
        hue=(0.56, 0.88),
        shape='bar',
        size=(0.2, 0.32),
    ),
    SceneClass(
        name='gem',
        colour=(220, 80, 220),
        textures=('facets', 'dots'),
        hue=(0.72, 1.04),
        shape='star',
        size=(0.15, 0.23),
        frequency=0.5,
    ),
)
