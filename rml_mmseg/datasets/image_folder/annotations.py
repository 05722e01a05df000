"""What every kind of annotation offers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np

IGNORED = 255


class Annotations(ABC):
    """Masks by name of the image, whatever they are stored as.

    Attributes:
        sources (Mapping): What annotates each image that is annotated, such
            as a file.
        classes (tuple[str], optional): Names, where the annotations have
            some; None if the ids of all masks must tell.
        palette (list[list[int]], optional): RGB colour of each class.
        orphans (list[str]): What belongs to no image, in words.
    """

    sources: Mapping[str, Any]
    classes: Optional[tuple[str, ...]] = None
    palette: Optional[list[list[int]]] = None
    orphans: list[str]

    def __contains__(self, name: object) -> bool:
        """Whether an image of this name is annotated."""
        return name in self.sources

    def describe(self, name: str) -> str:
        """The file, and the place in it, for messages."""
        return str(self.sources[name])

    @abstractmethod
    def read(self, name: str) -> np.ndarray:
        """Class ids, uint8 (H, W), with 255 for ignored pixels.

        Raises:
            ValueError: If the annotation is wrong; names the file.
        """

    def ready(self, name: str) -> Optional[Path]:
        """A grey PNG that holds exactly what is read, if there is one."""
        return None
