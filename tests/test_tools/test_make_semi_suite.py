"""Methods to compare in one's own network, as make_semi_config writes them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from rml_mmseg.experiments.suites import check_files, load_suite, plan_runs
from rml_mmseg.semi_config import RML, SUPERVISED, TITLES
from tests.quick import quick_runners  # noqa: F401  (for all tests here)
from tests.test_tools.converter_helpers import photo, save
from tools.dataset_converters import image_folder
from tools.misc import make_semi_config

SUITE = Path(__file__).resolve().parents[2] / 'tools/benchmarks/suite.py'
STOCK = """
default_scope = 'mmseg'
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[123.0] * 3, std=[58.0] * 3,
        bgr_to_rgb=True, size=(512, 512), seg_pad_val=255),
    backbone=dict(
        type='ResNet', depth=18, base_channels=4, norm_cfg=norm_cfg,
        strides=(1, 2, 1, 1)),
    decode_head=dict(
        type='FCNHead', in_channels=32, channels=4, num_convs=1,
        concat_input=False, num_classes=19, norm_cfg=norm_cfg),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
loading = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
dataset = dict(
    type='BaseSegDataset', pipeline=[*loading, dict(type='PackSegInputs')])
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dataset,
    sampler=dict(type='InfiniteSampler', shuffle=True))
val_dataloader = dict(
    batch_size=1, num_workers=0, dataset=dataset,
    sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.02, momentum=0.9))
param_scheduler = [
    dict(type='PolyLR', power=0.9, begin=0, end=100, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=100, val_interval=50)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=50))
"""
OTHER = """
_base_ = './stock.py'
model = dict(decode_head=dict(channels=8))
optim_wrapper = dict(optimizer=dict(lr=0.01))
"""


@pytest.fixture
def mine(tmp_path, call):
    """Folder of a data set with four labelled and three other images."""
    for i in range(8):
        save(tmp_path / f'images/{i}.png', photo(32, 64, i))
        if i < 5:
            mask = np.arange(32 * 64).reshape(32, 64) // 1024
            save(tmp_path / f'masks/{i}.png', mask)
    folder = tmp_path / 'data'
    call(
        image_folder, tmp_path / 'images', folder,
        '--masks', tmp_path / 'masks',
    )  # fmt: skip
    (tmp_path / 'stock.py').write_text(STOCK)
    (tmp_path / 'other.py').write_text(OTHER)
    return folder


@pytest.fixture
def make(mine, call):
    """Function that calls the tool for the data set."""

    def run(*arguments, stocks=('stock.py',)):
        call(
            make_semi_config, *(mine.parent / name for name in stocks),
            '--dataset', mine / 'dataset_config.py', *arguments,
        )  # fmt: skip

    return run


def files(folder):
    return {p: p.read_bytes() for p in folder.rglob('*') if p.is_file()}


@pytest.mark.parametrize('name', TITLES)
def test_every_method_trains(make, mine, tmp_path, name):
    make(
        '--method', name, '--out', mine / 'own.py', '--iters', 4,
        *(() if name == SUPERVISED else ('--burn-in', 1)),
    )  # fmt: skip
    cfg = Config.fromfile(mine / 'own.py')
    assert cfg.train_dataloader.batch_size == 2
    assert any(h.type == 'ImageScoresHook' for h in cfg.custom_hooks)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.train_cfg.val_interval = cfg.default_hooks.checkpoint.interval = 4
    cfg.env_cfg = dict(cudnn_benchmark=False)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 4
    scalars = runner.message_hub.log_scalars
    if name == SUPERVISED:
        assert type(runner.model).__name__ == 'EncoderDecoder'
        losses = ['train/decode.loss_ce']
    else:
        kinds = dict(
            cps=['loss_peer'],
            dmt=['loss_peer'],
            rml=['loss_self', 'loss_peer'],
        )
        kinds = kinds.get(name, ['loss_self'])
        losses = [f'train/students.0.{k}' for k in ['decode.loss_ce', *kinds]]
    for key in (*losses, 'val/mIoU'):
        found = [k for k in scalars if k.startswith(key)]
        assert found, (key, list(scalars))
        assert all(np.isfinite(scalars[k].data[0][-1]) for k in found)
    # The schedule ends where the training does.
    rate = 'train/lr' if name == SUPERVISED else 'train/students.0.lr'
    rates = scalars[rate].data[0]
    assert rates[0] == pytest.approx(0.02) and rates[-1] < 0.01


def common(cfg):
    """What all methods share, whether they have learners or not."""
    plain = 'segmentors' not in cfg.model
    dataset = cfg.train_dataloader.dataset
    model = cfg.model if plain else cfg.model.segmentors[0]
    optimiser = cfg.optim_wrapper if plain else cfg.optim_wrapper.students[0]
    schedule = cfg.param_scheduler
    parts = dict(
        network={k: v for k, v in model.items() if k != 'data_preprocessor'},
        images={
            k: v for k, v in cfg.model.data_preprocessor.items() if k != 'type'
        },
        labelled=dataset if plain else dataset.labelled,
        optimiser=optimiser.optimizer,
        schedule=schedule if plain else schedule['students.0'],
        iterations=cfg.train_cfg.iters_per_stage,
        interval=cfg.train_cfg.val_interval,
    )
    for key in ('batch_size', 'num_workers'):
        parts[key] = cfg.train_dataloader[key]
    for key in ('randomness', 'default_hooks', 'test_cfg', 'tta_pipeline'):
        parts[key] = cfg[key]
    for part in ('val', 'test'):
        parts[part] = cfg[f'{part}_dataloader']
        parts[f'{part}_score'] = cfg[f'{part}_evaluator'].iou_metrics
    return json.loads(json.dumps(parts, default=str))


def semi(cfg):
    """What all semi-supervised methods share beside that."""
    dataset = cfg.train_dataloader.dataset
    unlabelled = dict(dataset.unlabelled)
    steps = unlabelled.pop('pipeline')
    geometry = [
        s for s in steps if s.type not in ('WeakStrongViews', 'CutMix')
    ]
    return (
        unlabelled, geometry, dataset.image_pipeline, cfg.train_cfg,
        cfg.custom_hooks, cfg.train_dataloader.sampler,
    )  # fmt: skip


def test_methods_differ_in_what_they_are_alone(make, mine, capsys):
    make(
        '--method', 'all', '--suite', mine / 'compare.py', '--iters', 100,
        stocks=('stock.py', 'other.py'),
    )  # fmt: skip
    told = capsys.readouterr().out
    assert 'compare_supervised.py: 4 labelled images, 1 network' in told
    assert 'compare_rml.py: 4 labelled and 3 unlabelled images, 2 lear' in told
    cfgs = {n: Config.fromfile(mine / f'compare_{n}.py') for n in TITLES}
    own = Config.fromfile(mine / 'dataset_config.py')
    for name, cfg in cfgs.items():
        assert common(cfg) == common(cfgs[RML]), name
        if name == SUPERVISED:
            continue
        assert semi(cfg) == semi(cfgs[RML]), name
        pair = name in ('cps', 'dmt', RML)
        widths = [s.decode_head.channels for s in cfg.model.segmentors]
        assert widths == ([4, 8] if pair else [4])
        views, *mixing, _ = cfg.train_dataloader.dataset.unlabelled.pipeline[
            -3 if name != 'mean_teacher' else -2 :
        ]
        assert [step.type for step in mixing] == ['CutMix'] * len(mixing)
        plain = name in ('mean_teacher', 'cutmix_seg', 'cps')
        recoloured = own.unlabelled_dataset.pipeline[-3].strong
        assert views.get('strong') == (None if plain else recoloured)
        assert (cfg.model.rectifier is not None) == (name == RML)
    assert cfgs[RML].model.semi_train_cfg == dict(p0='stage', ensemble_p0=True)
    assert cfgs[RML].model.rectifier.alignment == 4.0
    assert cfgs[RML].train_cfg.burn_in_iters == 50
    assert recoloured[0].magnitude_level == 5
    assert cfgs['cps'].model.semi_train_cfg.peer_source == 'student'
    assert 'burn_in_iters' not in cfgs[SUPERVISED].train_cfg
    # The folder can be moved.
    assert str(mine) not in (mine / 'compare_rml.py').read_text()


def test_several_stages_are_one_long_training_of_the_baseline(make, mine):
    make(
        '--method', SUPERVISED, '--out', mine / 'own.py',
        '--iters', 10, '--stages', 3,
    )  # fmt: skip
    loop = Config.fromfile(mine / 'own.py').train_cfg
    assert loop.iters_per_stage == 30 and 'stages' not in loop


def write_lists(mine, split, seeds):
    names = (mine / 'splits/labelled.txt').read_text().split()
    for seed in seeds:
        folder = mine / f'splits/{split}_seed{seed}'
        folder.mkdir()
        for part, chosen in (
            ('labelled', names[seed : seed + 2]),
            ('unlabelled', names[:seed] + names[seed + 2 :]),
        ):
            text = ''.join(f'{name}\n' for name in chosen)
            (folder / f'{part}.txt').write_text(text)
    word = mine / 'splits/{split}_seed{seed}'
    return (
        '--labelled', word / 'labelled.txt',
        '--unlabelled', word / 'unlabelled.txt',
    )  # fmt: skip


def test_suite_runs_from_anywhere(make, mine, tmp_path, run_command):
    lists = write_lists(mine, '1-2', [1, 2])
    make(
        *lists, '--splits', '1-2', '--seeds', 1, 2, '--iters', 2,
        '--method', 'fixmatch', SUPERVISED, '--suite', mine / 'compare.py',
        '--cfg-options', 'model.segmentors.0.backbone.base_channels=2',
        'model.segmentors.0.decode_head.in_channels=16',
    )  # fmt: skip
    assert (tmp_path / 'data/compare_supervised.py').exists()
    runs = plan_runs(load_suite(mine / 'compare.py'), tmp_path)
    assert len(runs) == 4
    check_files(runs)
    run_command(
        sys.executable, SUITE, mine / 'compare.py',
        '--out', 'results', '--seeds', 2,
    )  # fmt: skip
    rows = json.loads((tmp_path / 'results/results.json').read_text())['rows']
    assert [row['method'] for row in rows] == [SUPERVISED, 'fixmatch']
    assert [row['title'] for row in rows] == ['Supervised', 'FixMatch']
    for row in rows:
        (run,) = row['runs']
        assert (run['seed'], run['status']) == (2, 'finished')
        assert 0 <= run['scores']['mIoU'] <= 100
    for name, key in (
        (SUPERVISED, 'dataset'),
        ('fixmatch', 'dataset.labelled'),
    ):
        record = tmp_path / f'results/{name}/1-2/seed_2/run.json'
        options = json.loads(record.read_text())['options']
        read = options[f'train_dataloader.{key}.ann_file']
        assert read == 'splits/1-2_seed2/labelled.txt'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--method', 'fixmatch', '--learners', 1], 'learners=1 is only for'),
        (['--method', 'all'], 'give --out FILE.py for one'),
        (['--method', 'all', '--out', 'a.py'], '--out=a.py is one config'),
        (['--method', 'cps', '--suite', 'a.txt'], '--suite must end in .py'),
        (['--out', 'a.py', '--seeds', 1], '--seeds is for a suite'),
        (['--suite', 'a.py', '--seeds', 0, -1], r'--seeds must be .*-1\]'),
        (['--suite', 'a.py', '--seeds', 1, 1], '--seeds must not repeat'),
        (['--out', 'a.py', '--data-root', 'x'], '--data-root=x is for the da'),
        (['--suite', 'a.py', '--splits', '1-8'], '--splits needs lists'),
        (
            ['--suite', 'a.py', '--labelled', '{seed}', '--unlabelled', 'x'],
            '--labelled: no list file 0 for seed 0',
        ),
        (
            ['--out', 'a.py', '--labelled', '{seed}', '--unlabelled', 'x'],
            '{seed} in --labelled or --unlabelled stands for',
        ),
        # What only the last of the methods cannot be built with.
        (
            ['--suite', 'a.py', '--method', SUPERVISED, RML, '--cfg-options',
             'model.rectifier.momentum=2'],
            'rml: a network or the training set cannot be built: .*momentum',
        ),
        (
            ['--suite', 'a.py', '--method', SUPERVISED, 'cps', '--cfg-options',
             'model.rectifier.momentum=2'],
            'model.rectifier.momentum.*supervised, cps does not have',
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(
    make, mine, monkeypatch, arguments, message, capsys
):
    monkeypatch.chdir(mine)
    before = files(mine)
    with pytest.raises(SystemExit, match=f'^error: .*{message}') as error:
        make('--iters', 4, *arguments)
    assert '\n' not in str(error.value)
    assert files(mine) == before


def test_paths_with_spaces(make, mine, tmp_path, capsys):
    mine.rename(tmp_path / 'my data')
    (tmp_path / 'data').symlink_to(tmp_path / 'my data')
    folder = tmp_path / 'my data'
    lists = write_lists(folder, '1-2', [0])
    arguments = ('--method', SUPERVISED, '--iters', 2, '--splits', '1-2')
    # Through the link the lists do not lie in the folder of the data set.
    with pytest.raises(SystemExit, match='cannot be given on a command line'):
        make(*arguments, *lists, '--suite', tmp_path / 'compare.py')
    assert not list(tmp_path.glob('compare*'))
    make(*arguments, *write_lists(mine, '1-2b', [0]), '--suite',
         folder / 'compare.py', '--splits', '1-2b')  # fmt: skip
    assert f"suite.py '{folder}/compare.py'" in capsys.readouterr().out
    assert (
        f"suite.py '{folder}/compare.py'"
        in (folder / 'compare.py').read_text()
    )
    (run,) = plan_runs(load_suite(folder / 'compare.py'), tmp_path)
    assert (
        run.options['train_dataloader.dataset.ann_file']
        == 'splits/1-2b_seed0/labelled.txt'
    )


def test_one_network_of_two_is_refused(make, mine):
    with pytest.raises(SystemExit, match='unimatch trains one network'):
        make(
            '--method', 'unimatch', '--out', mine / 'own.py',
            stocks=('stock.py', 'other.py'),
        )  # fmt: skip


def test_what_is_there_stays(make, mine):
    (mine / 'compare_cps.py').write_text('old = 1\n')
    before = files(mine)
    with pytest.raises(SystemExit, match='compare_cps.py exists. Use -'):
        make('--method', 'all', '--suite', mine / 'compare.py')
    assert files(mine) == before
