"""Stock networks of mmseg, made small by options, and their training."""

from mmengine.config import Config
from mmengine.runner import Runner

PSPNET = 'pspnet_r50-d8_4xb2-40k_cityscapes-512x1024'
SMALL_PSPNET = (
    'pretrained=None',
    'backbone.depth=18',
    'backbone.base_channels=4',
    'backbone.stem_channels=4',
    'decode_head.in_channels=32',
    'decode_head.channels=8',
    'auxiliary_head.in_channels=16',
    'auxiliary_head.channels=8',
)
SMALL_DEEPLAB = (
    *SMALL_PSPNET,
    'decode_head.c1_in_channels=4',
    'decode_head.c1_channels=4',
)
SMALL_SEGFORMER = (
    'backbone.init_cfg=None',
    'backbone.embed_dims=8',
    'backbone.num_layers=1,1,1,1',
    'backbone.num_heads=1,1,1,1',
    'decode_head.in_channels=8,8,8,8',
    'decode_head.channels=8',
)
RESIZE = {'scale': (64, 32), 'crop_size': (32, 64), 'size': (64, 32)}


def options(number, settings):
    """Options that apply a network's settings to a learner."""
    return [f'model.segmentors.{number}.{setting}' for setting in settings]


def train(path, tmp_path):
    """Two iterations and a validation, on few pixels."""
    cfg = Config.fromfile(path)

    def shrink(node):
        if isinstance(node, dict):
            node.update({k: v for k, v in RESIZE.items() if k in node})
            for value in node.values():
                shrink(value)
        elif isinstance(node, list):
            for value in node:
                shrink(value)

    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        shrink(cfg[name].dataset)
        cfg[name].update(num_workers=0, persistent_workers=False)
    cfg.model.data_preprocessor.size = RESIZE['crop_size']
    for segmentor in cfg.model.segmentors:
        if segmentor.test_cfg.mode == 'slide':
            segmentor.test_cfg.update(crop_size=(32, 64), stride=(32, 32))
    cfg.train_cfg.update(iters_per_stage=2, burn_in_iters=1, val_interval=2)
    for group in cfg.param_scheduler.values():
        for scheduler in group:
            scheduler.begin = 0
            if 'end' in scheduler:
                scheduler.end = 1
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.pop('visualization')
    cfg.work_dir = str(tmp_path / 'work')
    cfg.env_cfg.mp_cfg = {}
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 2
    return runner.message_hub
