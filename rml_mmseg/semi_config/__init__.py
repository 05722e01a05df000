"""A semi-supervised config out of stock ones."""

from .compose import SemiPlan, compose
from .data import SemiData, data_of_config, data_of_lists
from .deployed_size import deployed_size, input_channels
from .sizes import size_notes
from .stock import load_stock, training_length

__all__ = [
    'SemiData',
    'SemiPlan',
    'compose',
    'data_of_config',
    'data_of_lists',
    'deployed_size',
    'input_channels',
    'load_stock',
    'size_notes',
    'training_length',
]
