"""Configs made small: the same structure with few channels and pixels."""

from mmengine.config import Config, ConfigDict

HEADS = ('decode_head', 'auxiliary_head')
TOKENS = dict(embed_dims=16, num_layers=4, num_heads=2)
BACKBONES = {
    'mmpretrain.ResNet': dict(depth=18, base_channels=8, stem_channels=8),
    'ResNet': dict(depth=18, base_channels=8, stem_channels=8),
    'MobileNetV2': dict(widen_factor=0.1),
    'MixVisionTransformer': dict(
        embed_dims=8, num_layers=[1] * 4, num_heads=[1] * 4
    ),
    'mmpretrain.ConvNeXt': dict(
        arch=dict(depths=[1] * 4, channels=[8] * 4), drop_path_rate=0.2
    ),
    'mmpretrain.VisionTransformer': dict(
        arch=dict(TOKENS, feedforward_channels=32),
        img_size=56,
        out_indices=[0, 1, 2, 3],
    ),
}
# Channels of the levels that a small backbone outputs; a head of one level
# reads the last.
WIDTHS = {
    'mmpretrain.ResNet': [64],
    'ResNet': [64],
    'MobileNetV2': [8, 8, 16, 32],
    'MixVisionTransformer': [8] * 4,
    'mmpretrain.ConvNeXt': [8] * 4,
    'mmpretrain.VisionTransformer': [16] * 4,
}


def without_weights(node):
    """Drop what would load or download pretrained weights."""
    if isinstance(node, dict):
        init = node.get('init_cfg')
        if isinstance(init, dict) and init.get('type') == 'Pretrained':
            del node['init_cfg']
        for value in node.values():
            without_weights(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            without_weights(value)


def shrink_segmentor(segmentor: ConfigDict) -> None:
    """Make a stock segmentor's config small, in place."""
    backbone = segmentor.backbone
    changes = BACKBONES.get(backbone.type)
    if changes is None or 'base_channels' in backbone:
        return
    backbone.update(changes)
    widths = WIDTHS.get(backbone.type, [])
    if segmentor.get('neck') and segmentor.neck.type == 'TransformerNeck':
        segmentor.neck.update(
            in_channels=32, embed_dims=12, num_layers=1, num_heads=2
        )
        widths = [8, 16, 12]
    for name in HEADS:
        heads = segmentor.get(name) or []
        for head in heads if isinstance(heads, list) else [heads]:
            shrink_head(head, widths)


def shrink_head(head: ConfigDict, widths: list[int]) -> None:
    if isinstance(head.in_channels, (list, tuple)):
        head.in_channels = widths
    else:
        head.in_channels = widths[-1]
    head.channels = 32 if head.type == 'DeepLabV2Head' else 8
    if head.get('num_convs') == 0:
        head.channels = sum(head.in_channels)
    if head.type == 'DPTHead':
        head.update(embed_dims=16, post_process_channels=[4, 4, 8, 8])
    if 'c1_in_channels' in head:
        head.update(c1_in_channels=8, c1_channels=4)


def segmentors_of(cfg: Config) -> list[ConfigDict]:
    model = cfg.model
    return model.segmentors if 'segmentors' in model else [model]


def shrink_model(cfg: Config) -> None:
    """Make the networks of a config small and random, in place."""
    without_weights(cfg.model)
    seen = set()
    for segmentor in segmentors_of(cfg):
        if id(segmentor.backbone) not in seen:
            seen.add(id(segmentor.backbone))
            shrink_segmentor(segmentor)


def scaled(size, divisor: int, multiple: int = 1) -> tuple[int, int]:
    return tuple(-(-side // divisor // multiple) * multiple for side in size)


def shrink_pixels(cfg: Config, divisor: int) -> None:
    """Divide every size in a config's pipelines, in place."""

    def walk(node):
        if isinstance(node, dict):
            for key in ('scale', 'crop_size'):
                if key in node:
                    node[key] = scaled(node[key], divisor)
            for value in node.values():
                walk(value)
        elif isinstance(node, (list, tuple)):
            for value in node:
                walk(value)

    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        walk(cfg[name])
    preprocessor = cfg.model.data_preprocessor
    test_cfg = preprocessor.get('test_cfg') or {}
    multiple = test_cfg.get('size_divisor', 1)
    preprocessor.size = scaled(preprocessor.size, divisor, multiple)
    for segmentor in segmentors_of(cfg):
        if isinstance(segmentor.backbone.get('img_size'), (list, tuple)):
            segmentor.backbone.img_size = preprocessor.size


def shrink_run(cfg: Config, iterations: int) -> None:
    """A few iterations a stage in this process, in place."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[name].update(num_workers=0, persistent_workers=False)
    loop = cfg.train_cfg
    loop.iters_per_stage = iterations
    if loop.get('burn_in_iters'):
        loop.burn_in_iters = 1
    loop.val_interval = 100
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint = None
    cfg.default_hooks.pop('visualization')
    cfg.env_cfg.mp_cfg = {}
    schedulers = cfg.param_scheduler
    if isinstance(schedulers, dict):
        schedulers = [item for group in schedulers.values() for item in group]
    for scheduler in schedulers:
        # Warm-ups must not last longer than a stage.
        scheduler.begin = 0
        if 'end' in scheduler:
            scheduler.end = 1
