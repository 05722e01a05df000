from .camvid import CamVidDataset
from .samplers import *
from .textured_scenes import TexturedScenesDataset
from .transforms import *
