"""Semi-supervised configs, and those of rival methods, from stock configs."""

from .built import Built, build_config, summary
from .combinations import check_methods, check_output
from .compose import SemiPlan, compose
from .data import SemiData
from .deployed_size import deployed_size, input_channels
from .lists import ImageLists
from .methods import RML, SUPERVISED, TITLES, networks_of, recolours
from .options import fit_options
from .own_data import data_of_config
from .pipelines import STRONG_VIEWS
from .stock import load_stock, training_length
from .stock_data import ALLOW_OVERLAP, data_of_lists
from .suite_text import suite_text
from .supervised import compose_supervised
from .writing import portable, write_all

__all__ = [
    'ALLOW_OVERLAP',
    'Built',
    'ImageLists',
    'RML',
    'STRONG_VIEWS',
    'SUPERVISED',
    'SemiData',
    'SemiPlan',
    'TITLES',
    'build_config',
    'check_methods',
    'check_output',
    'compose',
    'compose_supervised',
    'data_of_config',
    'data_of_lists',
    'deployed_size',
    'fit_options',
    'input_channels',
    'load_stock',
    'networks_of',
    'portable',
    'recolours',
    'suite_text',
    'summary',
    'training_length',
    'write_all',
]
