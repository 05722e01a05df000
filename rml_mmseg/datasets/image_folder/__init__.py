"""Making a data set from any folder of images, some of them annotated."""

from .annotations import Annotations
from .coco_file import CocoFile
from .folder_item import FolderItem, find_images
from .item_report import ItemReport, inspect_item
from .labelme_folder import LabelMeFolder
from .mask_folder import MaskFolder

__all__ = [
    'Annotations',
    'CocoFile',
    'FolderItem',
    'ItemReport',
    'LabelMeFolder',
    'MaskFolder',
    'find_images',
    'inspect_item',
]
