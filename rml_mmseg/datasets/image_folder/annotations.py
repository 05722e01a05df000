"""Interface of all kinds of annotations."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np

IGNORED = 255


class Annotations(ABC):
    """Masks by the name of their image, in whatever format they are stored.

    Attributes:
        sources (Mapping): Source of the mask of each annotated image, such
            as a file.
        classes (tuple[str], optional): Class names, if the annotations have
            some; None if only the ids in the masks tell the classes.
        palette (list[list[int]], optional): RGB colour of each class.
        orphans (list[str]): Descriptions of annotations that no image uses.
    """

    sources: Mapping[str, Any]
    classes: Optional[tuple[str, ...]] = None
    palette: Optional[list[list[int]]] = None
    orphans: list[str]

    def __contains__(self, name: object) -> bool:
        """Whether an image of this name is annotated."""
        return name in self.sources

    def describe(self, name: str) -> str:
        """Describe where the mask is stored, for messages."""
        return str(self.sources[name])

    @abstractmethod
    def read(self, name: str) -> np.ndarray:
        """Read class ids, uint8 (H, W), with 255 for ignored pixels.

        Raises:
            ValueError: If the annotation is invalid; names the file.
        """

    def ready(self, name: str) -> Optional[Path]:
        """Grey PNG file that holds exactly the ids to read, if any."""
        return None
