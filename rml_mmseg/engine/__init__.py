from .hooks import *
from .loops import *
from .optimizers import *
