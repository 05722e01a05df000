from .samplers import *
from .transforms import *
