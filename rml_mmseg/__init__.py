"""Robust Mutual Learning for semi-supervised segmentation in MMSegmentation.

Importing the package, as `custom_imports=['rml_mmseg']` does in a config,
registers every component in the registries of mmseg.
"""

# isort: off
# The workarounds must be in place before anything imports mmseg's models.
from . import compat
from . import datasets, engine, evaluation, models

# isort: on
from .version import __version__

__all__ = [
    '__version__',
    'compat',
    'datasets',
    'engine',
    'evaluation',
    'models',
]
