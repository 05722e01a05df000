"""Networks, rectifiers and losses."""

from .data_preprocessors import SemiSegDataPreProcessor
from .decode_heads import DeepLabV2Head
from .losses import ConsistencyLoss, DynamicMutualLoss, PseudoLabelLoss
from .necks import ReadoutNeck, TransformerNeck
from .optional_weights import load_optional
from .rectifiers import PrototypeRectifier, Rectifier
from .segmentors import MutualSemiSegmentor

__all__ = [
    'ConsistencyLoss',
    'DeepLabV2Head',
    'DynamicMutualLoss',
    'MutualSemiSegmentor',
    'PrototypeRectifier',
    'PseudoLabelLoss',
    'ReadoutNeck',
    'Rectifier',
    'SemiSegDataPreProcessor',
    'TransformerNeck',
    'load_optional',
]
