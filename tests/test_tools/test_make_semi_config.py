"""Stock configs as mmseg ships them, made small by options."""

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS

from rml_mmseg.experiments.suites import load_suite, plan_runs
from rml_mmseg.semi_config.stock import stock_folder
from tests.test_tools.converter_helpers import photo, save
from tests.test_tools.small_stock import (
    PSPNET,
    SMALL_PSPNET,
    SMALL_SEGFORMER,
    options,
    train,
)
from tools.dataset_converters import image_folder
from tools.misc import make_semi_config

SEGFORMER = 'segformer_mit-b0_8xb1-160k_cityscapes-1024x1024'
ADE = 'segformer_mit-b0_8xb2-160k_ade20k-512x512'


@pytest.fixture
def cityscapes(tmp_path):
    """Three labelled images, three others, and one for validation."""
    root = tmp_path / 'cityscapes'
    for split, count in (('train', 6), ('val', 1)):
        for i in range(count):
            name = f'{split}/a/a_{i}'
            save(
                root / f'leftImg8bit/{name}_leftImg8bit.png', photo(32, 64, i)
            )
            if i < 3:
                mask = np.arange(32 * 64).reshape(32, 64) // 512
                path = f'gtFine/{name}_gtFine_labelTrainIds.png'
                save(root / path, mask)
    (tmp_path / 'labelled.txt').write_text('a/a_0\na/a_1\na/a_2\n')
    return (
        '--labelled', tmp_path / 'labelled.txt',
        '--unlabelled', root / 'leftImg8bit/train',
        '--data-root', root, '--out', tmp_path / 'semi.py',
    )  # fmt: skip


def test_pspnet_and_segformer_train(cityscapes, tmp_path, call, capsys):
    call(
        make_semi_config, PSPNET, SEGFORMER, *cityscapes, '--cfg-options',
        *options(0, SMALL_PSPNET), *options(1, SMALL_SEGFORMER),
    )  # fmt: skip
    text = capsys.readouterr().out
    assert '3 labelled and 3 unlabelled images, 2 learners' in text
    # Of 40,000 iterations with 2 images.
    assert 'a stage 26666.7 times over the unlabelled images' in text
    listed = tmp_path / 'semi_unlabelled.txt'
    assert listed.read_text().split() == [
        f'a/a_{i}_leftImg8bit.png' for i in (3, 4, 5)
    ]
    cfg = Config.fromfile(tmp_path / 'semi.py')
    sgd, adamw = cfg.optim_wrapper.students
    assert (sgd.optimizer.type, sgd.optimizer.lr) == ('SGD', 0.01)
    assert adamw.paramwise_cfg.custom_keys.head.lr_mult == 10.0
    assert 'type' not in sgd and 'type' not in adamw
    assert cfg.train_cfg.iters_per_stage == 40000
    # What is saved survives an interruption, which saves.
    assert cfg.default_hooks.checkpoint.type == 'AtomicCheckpointHook'
    assert cfg.default_hooks.checkpoint.interval == 4000
    assert cfg.default_hooks.interruption.type == 'InterruptionHook'
    # A warm-up of 1,500 in 160,000 iterations.
    assert cfg.param_scheduler['students.1'][0].end == 375
    assert cfg.model.segmentors[1].test_cfg.mode == 'slide'
    assert cfg.val_evaluator.learners[-1] == 'ensemble'
    unlabelled = cfg.train_dataloader.dataset.unlabelled
    assert unlabelled.ann_file == str(listed)
    hub = train(tmp_path / 'semi.py', tmp_path)
    for key in (
        'train/students.0.decode.loss_ce',
        'train/students.1.loss_self',
        'val/mIoU',
        'val/students.1/mIoU',
    ):
        assert np.isfinite(hub.get_scalar(key).data[0][-1]), key


def test_one_config_for_one_learner_or_two(cityscapes, tmp_path, call):
    for learners in (1, 2):
        small = [o for i in range(learners) for o in options(i, SMALL_PSPNET)]
        call(
            make_semi_config, PSPNET, *cityscapes, '--force',
            '--learners', learners, '--iters', 50, '--strong-view', 'jitter',
            '--cfg-options', *small,
        )  # fmt: skip
        cfg = Config.fromfile(tmp_path / 'semi.py')
        # mmseg's own train.py reads it under --amp.
        assert cfg.optim_wrapper.type == 'OptimWrapper'
        steps = cfg.train_dataloader.dataset.unlabelled.pipeline
        (views,) = (s for s in steps if s.type == 'WeakStrongViews')
        assert views.strong[0].transforms[0].type == 'mmpretrain.ColorJitter'
        assert len(cfg.model.segmentors) == learners
        assert len(cfg.optim_wrapper.students) == learners
        assert (cfg.model.rectifier is None) == (learners == 1)
        views = cfg.train_dataloader.dataset.unlabelled.pipeline[-3]
        assert views.num_strong == learners
        assert cfg.train_cfg.burn_in_iters == 25
        assert ('ensemble' in cfg.model.test_cfg.score) == (learners == 2)
    with pytest.raises(SystemExit, match=r'exists\. Use --force'):
        call(make_semi_config, PSPNET, *cityscapes)


@pytest.mark.parametrize(
    ('iters', 'expected'),
    [
        # It divides the stage.
        (40, 20),
        # A tenth of a stage at most.
        (200, 20),
        (250, 20),
        # The end of the stage would lie half an interval later.
        (50, 5),
        (10, 1),
    ],
)
def test_intervals_stay_where_a_stage_has_room(
    cityscapes, tmp_path, call, capsys, iters, expected
):
    stock = tmp_path / 'stock.py'
    stock.write_text(
        f"_base_ = '{stock_folder()}/pspnet/{PSPNET}.py'\n"
        'train_cfg = dict(val_interval=20)\n'
        'default_hooks = dict(checkpoint=dict(interval=20))\n'
    )
    call(
        make_semi_config, stock, *cityscapes, '--learners', 1,
        '--iters', iters, '--cfg-options', *options(0, SMALL_PSPNET),
    )  # fmt: skip
    cfg = Config.fromfile(tmp_path / 'semi.py')
    assert cfg.train_cfg.val_interval == expected
    assert cfg.default_hooks.checkpoint.interval == expected
    text = capsys.readouterr().out
    for name in ('train_cfg.val_', 'default_hooks.checkpoint.'):
        told = f'{name}interval is {expected} instead of 20'
        assert (told in text) == (expected != 20), name


def test_examples_of_the_help_keep_their_lines(capsys):
    with pytest.raises(SystemExit, match='0'):
        make_semi_config.parse_args(['--help'])
    lines = capsys.readouterr().out.splitlines()
    assert '    python tools/misc/make_semi_config.py \\' in lines
    assert '        --labelled labelled.txt \\' in lines


def test_own_data_in_stock_networks(tmp_path, call, capsys):
    for i in range(6):
        save(tmp_path / f'images/{i}.png', photo(32, 64, i))
    for i in range(4):
        mask = np.arange(32 * 64).reshape(32, 64) // 1024
        save(tmp_path / f'masks/{i}.png', mask)
    data = tmp_path / "Ann's data"
    call(
        image_folder, tmp_path / 'images', data,
        '--masks', tmp_path / 'masks', '--test-fraction', 0.25,
    )  # fmt: skip
    out = data / 'semi.py'
    own = Config.fromfile(data / 'dataset_config.py')
    arguments = (
        make_semi_config, ADE, '--dataset', own.filename, '--out', out,
        '--force', '--cfg-options', *options(0, SMALL_SEGFORMER),
        *options(1, SMALL_SEGFORMER), 'train_dataloader.batch_size=2',
    )  # fmt: skip
    call(*arguments, '--geometry', 'stock')
    assert 'warning: images are strongly' in capsys.readouterr().out
    dataset = Config.fromfile(out).train_dataloader.dataset
    assert dataset.labelled.pipeline[2].scale == (2048, 512)
    assert 'reduce_zero_label' not in dataset.labelled.pipeline[1]
    call(*arguments)
    text = capsys.readouterr().out
    assert '2 classes instead of 150' in text and 'warning' not in text
    assert 'an image of 64x32 is scaled by' in text
    # The folder can be moved.
    assert str(tmp_path) not in out.read_text()
    cfg = Config.fromfile(out)
    assert cfg.model.data_preprocessor.size == own.crop_size
    dataset = cfg.train_dataloader.dataset
    assert dataset.image_pipeline[1].scale == own.scale
    for part in (dataset.labelled, dataset.unlabelled):
        (crop,) = (s for s in part.pipeline if s.type == 'RandomCrop')
        assert crop.crop_size == own.crop_size
    labelled = dataset.labelled
    assert 'reduce_zero_label' not in labelled.pipeline[1]
    for part in ('val', 'test'):
        assert cfg[f'{part}_evaluator'].type == 'LearnersIoUMetric'
        ann_file = cfg[f'{part}_dataloader'].dataset.ann_file
        assert ann_file == f'splits/{part}.txt'
    hub = train(out, tmp_path)
    assert np.isfinite(hub.get_scalar('val/mIoU').data[0][-1])


@pytest.mark.parametrize('name', ['gone.py', 'classes.txt'])
def test_own_data_that_is_no_config(tmp_path, call, name):
    (tmp_path / 'classes.txt').write_text('a\nb\n')
    with pytest.raises(SystemExit, match=f'--dataset: .*{name} cannot'):
        call(
            make_semi_config, ADE, '--dataset', tmp_path / name,
            '--out', tmp_path / 'semi.py',
        )  # fmt: skip


def test_own_data_that_is_all_annotated(tmp_path, call):
    for i in range(6):
        save(tmp_path / f'images/{i}.png', photo(32, 64, i))
        mask = np.arange(32 * 64).reshape(32, 64) // 1024
        save(tmp_path / f'masks/{i}.png', mask)
    data, lists = tmp_path / 'data', []
    call(
        image_folder, tmp_path / 'images', data, '--masks', tmp_path / 'masks'
    )
    own = Config.fromfile(data / 'dataset_config.py')
    arguments = (
        make_semi_config, ADE, '--dataset', own.filename,
        '--out', data / 'semi.py', '--cfg-options',
        *options(0, SMALL_SEGFORMER), *options(1, SMALL_SEGFORMER),
    )  # fmt: skip
    with pytest.raises(SystemExit, match='no unlabelled image.*make_splits'):
        call(*arguments)
    names = (data / 'splits/labelled.txt').read_text().split()
    for name, part in (('labelled', names[:1]), ('unlabelled', names[1:])):
        lists += [f'--{name}', data / f'{name}_own.txt']
        lists[-1].write_text(''.join(f'{n}\n' for n in part))
    call(*arguments, *lists)
    cfg = Config.fromfile(data / 'semi.py')
    assert cfg.tta_pipeline == own.tta_pipeline
    dataset = cfg.train_dataloader.dataset
    assert len(DATASETS.build(dataset.labelled)) == 1
    assert len(DATASETS.build(dataset.unlabelled)) == len(names) - 1
    for wrong, told in (
        ('gone', r'1 of \d images of .*unlabelled_own.txt are missing'),
        (names[0], r'--unlabelled: 1 of \d images .* are labelled, .*True if'),
    ):
        lists[3].write_text(f'{names[1]}\n{wrong}\n')
        with pytest.raises(SystemExit, match=told):
            call(*arguments, *lists, '--force')
    lists[1].write_text('gone\n')
    with pytest.raises(SystemExit, match='a labelled image has no file'):
        call(*arguments, *lists, '--force')
    lists[1].unlink()
    with pytest.raises(SystemExit, match='no list file .*labelled_own.txt'):
        call(*arguments, *lists, '--force')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ('list', 'no list file'),
        ('name', r'a labelled image has no file .*a/zzz_leftImg8bit.png'),
        ('folder', '--unlabelled: no such folder'),
        ('normalisation', 'data_preprocessor differs'),
        ('burn_in', '--burn-in=7'),
        ('suffix', 'must end in .py'),
        ('picture', "ann_file='.*png' is not a list with one name"),
        ('geometry', '--geometry=stock needs --dataset'),
        (
            'index',
            'rml: --cfg-options .*99.prob=1 does not .* has no .99.',
        ),
        ('batch', "train_dataloader.batch_size must be .*'abc'"),
        ('syntax', 'other.py cannot be read as a config: SyntaxError'),
    ],
)
def test_what_is_wrong_is_named(cityscapes, tmp_path, call, change, message):
    arguments = dict(zip(cityscapes[::2], cityscapes[1::2]))
    stocks = [PSPNET]
    if change == 'list':
        (tmp_path / 'labelled.txt').unlink()
    if change == 'name':
        (tmp_path / 'labelled.txt').write_text('a/zzz\n')
    if change == 'folder':
        arguments['--unlabelled'] = tmp_path / 'nowhere'
    if change == 'normalisation':
        other = tmp_path / 'other.py'
        other.write_text(
            f"_base_ = '{stock_folder()}/pspnet/{PSPNET}.py'\n"
            'model = dict(data_preprocessor=dict(mean=[0, 0, 0]))\n'
        )
        stocks.append(other)
    if change == 'burn_in':
        arguments.update({'--iters': 7, '--burn-in': 7})
    if change == 'suffix':
        arguments['--out'] = tmp_path / 'semi.txt'
    if change == 'picture':
        images = arguments['--unlabelled'].rglob('*.png')
        arguments['--unlabelled'] = next(images)
    if change == 'geometry':
        arguments['--geometry'] = 'stock'
    if change == 'index':
        option = 'train_dataloader.dataset.labelled.pipeline.99.prob=1'
        arguments['--cfg-options'] = option
    if change == 'batch':
        arguments['--cfg-options'] = 'train_dataloader.batch_size=abc'
    if change == 'syntax':
        stocks = [tmp_path / 'other.py']
        stocks[0].write_text('model = (\n')
    pairs = [part for pair in arguments.items() for part in pair]
    with pytest.raises(SystemExit, match=message):
        call(make_semi_config, *stocks, *pairs)
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {'cityscapes', 'labelled.txt', 'other.py'}


def test_methods_on_the_data_of_a_stock_config(cityscapes, tmp_path, call):
    *data, option, _ = cityscapes
    assert option == '--out'
    call(
        make_semi_config, PSPNET, *data,
        '--method', 'supervised', 'classmix', '--seeds', 0, 4,
        '--suite', tmp_path / 'compare.py',
        '--cfg-options', *options(0, SMALL_PSPNET),
    )  # fmt: skip
    runs = plan_runs(load_suite(tmp_path / 'compare.py'), tmp_path / 'out')
    assert [(run.method, run.seed) for run in runs] == [
        ('supervised', 0),
        ('classmix', 0),
        ('supervised', 4),
        ('classmix', 4),
    ]
    plain, semi = (Config.fromfile(run.config) for run in runs[:2])
    labelled = semi.train_dataloader.dataset.labelled
    assert plain.train_dataloader.dataset == labelled
    assert labelled.ann_file == str(tmp_path / 'labelled.txt')
    unlabelled = semi.train_dataloader.dataset.unlabelled
    assert unlabelled.ann_file == str(tmp_path / 'compare_unlabelled.txt')
    assert len(DATASETS.build(unlabelled)) == 3
    assert plain.model == dict(
        semi.model.segmentors[0],
        data_preprocessor=dict(
            semi.model.data_preprocessor, type='SegDataPreProcessor'
        ),
    )
    # The stock test, for the single network and for student and teacher.
    assert plain.val_evaluator.type == 'IoUMetric'
    assert semi.val_evaluator.learners == ['students.0', 'teachers.0']
    assert plain.val_dataloader == semi.val_dataloader
    assert plain.param_scheduler == semi.param_scheduler['students.0']
    assert plain.train_cfg.iters_per_stage == 40000


def test_lists_of_the_data_of_a_stock_config(cityscapes, tmp_path, call):
    root = tmp_path / 'cityscapes'
    for seed, names in ((1, 'a/a_0 a/a_1'), (2, 'a/a_2 a/a_1')):
        labelled = names.split()
        others = [f'a/a_{i}' for i in range(6) if f'a/a_{i}' not in labelled]
        for part, listed in (('l', labelled), ('u', others)):
            text = ''.join(f'{name}\n' for name in listed)
            (root / f'{part}_{seed}.txt').write_text(text)
    arguments = (
        make_semi_config, PSPNET, '--data-root', root,
        '--labelled', root / 'l_{seed}.txt',
        '--unlabelled', root / 'u_{seed}.txt',
        '--method', 'fixmatch', '--cfg-options', *options(0, SMALL_PSPNET),
    )  # fmt: skip
    with pytest.raises(SystemExit, match='{seed} in .* needs --suite'):
        call(*arguments, '--out', tmp_path / 'semi.py')
    call(*arguments, '--suite', tmp_path / 'compare.py', '--seeds', 1, 2)
    runs = plan_runs(load_suite(tmp_path / 'compare.py'), tmp_path / 'out')
    for run, names in zip(runs, (('2', '5'), ('0', '5'))):
        cfg = Config.fromfile(run.config)
        cfg.merge_from_dict(run.options)
        unlabelled = DATASETS.build(cfg.train_dataloader.dataset).unlabelled
        files = [unlabelled.get_data_info(i)['img_path'] for i in (0, -1)]
        folder = root / 'leftImg8bit/train/a'
        assert files == [
            f'{folder}/a_{name}_leftImg8bit.png' for name in names
        ]


def test_views_that_no_method_recolours_are_not_chosen(cityscapes, call):
    with pytest.raises(SystemExit, match='--strong-view.*cutmix_seg does not'):
        call(
            make_semi_config, PSPNET, *cityscapes,
            '--method', 'cutmix_seg', '--strong-view', 'jitter',
        )  # fmt: skip


def test_files_of_others_stay(cityscapes, tmp_path, call):
    own = [tmp_path / f'semi_{n}' for n in ('draft.py', 'unlabelled.txt')]
    for path in own:
        path.write_text('old\n')
    with pytest.raises(SystemExit, match='semi_unlabelled.txt exists. Us'):
        call(make_semi_config, 'fast_scnn_8xb4-160k_cityscapes-512x1024',
             *cityscapes)  # fmt: skip
    assert [path.read_text() for path in own] == ['old\n', 'old\n']
    assert not (tmp_path / 'semi.py').exists()
    own[1].unlink()
    call(make_semi_config, 'fast_scnn_8xb4-160k_cityscapes-512x1024',
         *cityscapes)  # fmt: skip
    assert own[0].read_text() == 'old\n'


def test_what_cannot_be_written_anew_stays(cityscapes, tmp_path, call):
    (tmp_path / 'semi.py').write_text('old = 1\n')
    (tmp_path / 'semi_unlabelled.txt').write_text('old\n')
    with pytest.raises(SystemExit, match='unsup_weight must be a number in'):
        call(
            make_semi_config, PSPNET, *cityscapes, '--force',
            '--cfg-options', 'model.semi_train_cfg.unsup_weight=-1',
        )  # fmt: skip
    assert (tmp_path / 'semi.py').read_text() == 'old = 1\n'
    assert (tmp_path / 'semi_unlabelled.txt').read_text() == 'old\n'
