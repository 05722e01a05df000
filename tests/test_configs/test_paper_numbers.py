"""The composed configs hold the paper's numbers."""

from pathlib import Path

import pytest
import torchvision
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

import rml_mmseg  # noqa: F401  (registers the package)
from tests.test_configs.small import segmentors_of

FOLDER = Path(__file__).resolve().parents[2] / 'configs'
RML = 'rml/deeplabv2_deeplabv2_city_1-8'
ABLATION = 'ablations/{}_deeplabv2_deeplabv2_city_1-8'
CITY = [
    f'rml/{pair}_city_1-{part}'
    for pair in ('deeplabv2_deeplabv2', 'deeplabv2_setr', 'setr_setr')
    for part in (30, 8, 4)
]
VOC = [
    f'rml/{pair}_voc_1-{part}'
    for pair in ('deeplabv2_deeplabv2', 'deeplabv2-coco_deeplabv2-coco')
    for part in (100, 50, 20, 8)
]
LABELLED = {'1-30': 100, '1-8': 372, '1-4': 744}


def load(name):
    return Config.fromfile(FOLDER / f'{name}.py')


def find(pipeline, kind):
    return [step for step in pipeline if step.type == kind]


def has_input_noise(cfg):
    pipeline = cfg.train_dataloader.dataset.unlabelled.pipeline
    (views,) = find(pipeline, 'WeakStrongViews')
    return bool(views.get('strong')), bool(find(pipeline, 'CutMix'))


def model_noise(cfg):
    return {
        (
            segmentor.decode_head.dropout_ratio,
            segmentor.backbone.drop_path_rate,
        )
        for segmentor in segmentors_of(cfg)
    }


@pytest.mark.parametrize('name', CITY + VOC)
def test_method(name):
    cfg = load(name)
    model = cfg.model
    assert model.rectifier.momentum == 0.9999
    assert model_noise(cfg) == {(0.5, 0.2)}
    assert has_input_noise(cfg) == (True, True)
    assert model.semi_train_cfg.peer_source == 'teacher'
    weights = {model.semi_train_cfg[f'{n}_weight'] for n in ('self', 'peer')}
    assert weights == {1.0}
    assert model.semi_train_cfg.confidence is None
    assert cfg.train_cfg.stages == 2
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr) == ('SGD', 1e-4)
    (scheduler,) = cfg.param_scheduler
    assert scheduler.type == 'PolyLR' and 'end' not in scheduler


@pytest.mark.parametrize('name', CITY)
def test_cityscapes(name):
    cfg = load(name)
    assert cfg.train_cfg.iters_per_stage == 90000
    assert cfg.auto_scale_lr.base_batch_size == 4
    assert cfg.train_dataloader.batch_size * 2 == 4
    part = name.split('_')[-1]
    dataset = cfg.train_dataloader.dataset
    lists = [
        Path(dataset[kind].ann_file).read_text().split()
        for kind in ('labelled', 'unlabelled')
    ]
    assert [len(names) for names in lists] == [
        LABELLED[part],
        2975 - LABELLED[part],
    ]
    assert not set(lists[0]) & set(lists[1])
    for kind in ('labelled', 'unlabelled'):
        pipeline = dataset[kind].pipeline
        (crop,) = find(pipeline, 'RandomCrop')
        assert tuple(crop.crop_size) == (256, 512)
        # Images are made 1024x512 by the converter, and are not resized.
        assert not [step for step in pipeline if 'Resize' in step.type]
    assert tuple(cfg.model.data_preprocessor.size) == (256, 512)


@pytest.mark.parametrize('name', VOC)
def test_voc(name):
    cfg = load(name)
    assert cfg.train_cfg.iters_per_stage == 60000
    assert cfg.auto_scale_lr.base_batch_size == 10
    assert cfg.train_dataloader.batch_size * 2 == 10
    part = name.split('_')[-1]
    for kind in ('labelled', 'unlabelled'):
        dataset = cfg.train_dataloader.dataset[kind]
        assert dataset.ann_file == f'splits/{part}/{kind}.txt'
        (resize,) = find(dataset.pipeline, 'RandomResize')
        assert tuple(resize.ratio_range) == (0.5, 1.5)
        (crop,) = find(dataset.pipeline, 'RandomCrop')
        assert tuple(crop.crop_size) == (321, 321)
    init = segmentors_of(cfg)[0].backbone.init_cfg.checkpoint
    assert ('COCO' in init) == ('coco' in name)
    assert cfg.model.data_preprocessor.bgr_to_rgb == ('coco' not in name)


def test_full_and_labelled_baselines_have_no_noise():
    names = sorted(FOLDER.glob('supervised/deeplabv2*'))
    names += sorted(FOLDER.glob('supervised/setr*'))
    assert len(names) == 18
    for path in names:
        cfg = Config.fromfile(path)
        assert model_noise(cfg) == {(0.0, 0.0)}
        assert cfg.train_cfg.stages == 1
        length = 60000 if '_voc_' in path.name else 90000
        assert cfg.train_cfg.iters_per_stage == length


@pytest.mark.parametrize(
    ('row', 'noise', 'inputs', 'rectified', 'stages'),
    [
        ('iml', (0.0, 0.0), False, False, 1),
        ('iml_model-noise', (0.5, 0.2), False, False, 1),
        ('iml_input-noise', (0.0, 0.0), True, False, 1),
        ('iml_full-noise', (0.5, 0.2), True, False, 1),
        ('rml', (0.5, 0.2), True, True, 1),
        ('rml_two-stage', (0.5, 0.2), True, True, 2),
    ],
)
def test_table_4(row, noise, inputs, rectified, stages):
    cfg = load(ABLATION.format(row))
    assert model_noise(cfg) == {noise}
    assert has_input_noise(cfg) == (inputs, inputs)
    assert (cfg.model.rectifier is not None) == rectified
    assert cfg.train_cfg.stages == stages


@pytest.mark.parametrize(
    'pair', ['deeplabv2_deeplabv2', 'deeplabv2_setr', 'setr_setr']
)
def test_table_5_has_neither_noise_nor_rectification(pair):
    cfg = load(f'ablations/iml_{pair}_city_1-8')
    assert model_noise(cfg) == {(0.0, 0.0)}
    assert has_input_noise(cfg) == (False, False)
    assert cfg.model.rectifier is None
    kinds = dict(deeplabv2='DeepLabV2Head', setr='SETRUPHead')
    heads = [segmentor.decode_head.type for segmentor in segmentors_of(cfg)]
    assert heads == [kinds[name] for name in pair.split('_')]


def test_figure_4():
    teacher = load('ablations/mean_teacher_deeplabv2_city_1-8').model
    direct = load('ablations/direct_deeplabv2_deeplabv2_city_1-8').model
    assert len(teacher.segmentors) == 1 and teacher.rectifier is None
    cfg = direct.semi_train_cfg
    assert (cfg.peer_source, cfg.self_weight) == ('student', 0.0)
    assert direct.rectifier is None


def test_variants_keep_what_eight_times_four_images_mean():
    one, eight = load(f'{RML}_1gpu'), load(f'{RML}_8gpu')
    paper = load(RML)
    for cfg, gpus in ((one, 1), (eight, 8)):
        loader, wrapper = cfg.train_dataloader, cfg.optim_wrapper
        batch = loader.batch_size * gpus * wrapper.accumulative_counts
        share = batch / 4
        assert share in (1, 8)
        for key in ('iters_per_stage', 'burn_in_iters'):
            images = cfg.train_cfg[key] * loader.batch_size * gpus
            assert images == paper.train_cfg[key] * 4
        ratio = loader.batch_size * gpus / cfg.auto_scale_lr.base_batch_size
        assert ratio == share
        assert cfg.model.rectifier.momentum == pytest.approx(
            0.9999**share, abs=1e-5
        )
    assert eight.auto_scale_lr.enable
    assert eight.custom_hooks[0].momentum == pytest.approx(0.999**8, abs=1e-4)
    four = load(f'{RML}_4gpu').train_dataloader
    assert (four.batch_size, four.dataset.k) == (1, 2)


def test_backbone_is_torchvisions_at_output_stride_8():
    cfg = segmentors_of(load(RML))[0].backbone
    assert (cfg.depth, cfg.init_cfg.checkpoint) == (
        101,
        'torchvision://resnet101',
    )
    cfg.pop('init_cfg')
    init_default_scope('mmseg')
    net = MODELS.build(cfg)
    theirs = torchvision.models.resnet101(weights=None).state_dict()
    expected = {k: v.shape for k, v in theirs.items() if k[:3] != 'fc.'}
    assert {k: v.shape for k, v in net.state_dict().items()} == expected
    strides = [cfg.strides[i] for i in range(4)]
    assert 4 * strides[1] * strides[2] * strides[3] == 8
    rates = [
        getattr(block.drop_path, 'drop_prob', 0.0)
        for i in range(1, 5)
        for block in getattr(net, f'layer{i}')
    ]
    assert rates == pytest.approx([0.2 * i / 32 for i in range(33)])
