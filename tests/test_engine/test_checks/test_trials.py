"""What would stop the first validation stops the run before it trains."""

import logging
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmseg.evaluation import IoUMetric

from rml_mmseg.engine.checks import trials
from rml_mmseg.engine.checks.scored_set import score_names
from rml_mmseg.engine.loops import staged_train_loop
from rml_mmseg.models import MutualSemiSegmentor
from tests.toys import (
    toy_model_cfg,
    toy_runner,
    val_settings,
    write_images,
    write_toy_sets,
)


@pytest.fixture
def refused(tmp_path):
    """Function that trains with a changed validation, which must fail."""

    def run(kind, message, evaluator=None, pipeline=None, **dataset):
        settings = val_settings(tmp_path)
        own = settings['val_dataloader']['dataset']
        own.update(dataset)
        if pipeline is not None:
            own['pipeline'] = [own['pipeline'][i] for i in pipeline]
        settings['val_evaluator'].update(evaluator or {})
        runner = toy_runner(tmp_path, **settings)
        with pytest.raises(kind, match=message):
            runner.train()
        assert runner.iter == 0

    return run


def test_no_image(refused):
    refused(ValueError, 'val_dataloader.dataset has no image', img_suffix='.x')


def test_a_mask_that_is_missing(refused):
    message = r"val_dataloader.dataset image .*0.png'.*no mask .*0_x.png"
    refused(FileNotFoundError, message, seg_map_suffix='_x.png')


def test_an_image_that_is_missing(refused, tmp_path):
    names = tmp_path / 'names.txt'
    names.write_text('0\n7\n')
    message = r'val_dataloader.dataset image .*no image .*7.png'
    refused(FileNotFoundError, message, ann_file=str(names))


def test_masks_that_are_not_named(refused):
    refused(
        FileNotFoundError, 'no mask None', data_prefix=dict(img_path='img')
    )


def test_masks_that_are_not_loaded(refused):
    message = r"pipeline gives no masks: put dict\(type='LoadAnnotations'\)"
    refused(ValueError, message, pipeline=(0, 2))


def test_an_item_that_is_not_packed(refused):
    message = 'the model cannot predict the first image of val_dataloader'
    refused(RuntimeError, message, pipeline=(0, 1))


def test_ids_that_are_no_class(refused, tmp_path):
    """A metric would silently leave them out."""
    write_toy_sets(tmp_path)
    mask = cv2.imread(str(tmp_path / 'val/ann/1.png'), cv2.IMREAD_UNCHANGED)
    mask[0, :2] = 3, 255
    cv2.imwrite(str(tmp_path / 'val/ann/1.png'), mask)
    message = r"dataset: mask .*1.png' holds \[3\], outside of the 3 classes"
    refused(ValueError, message)


def test_ids_are_named_as_they_are_in_the_file(refused, tmp_path):
    write_toy_sets(tmp_path)
    mask = np.full((8, 12), 1, np.uint8)
    mask[0, 0] = 77
    cv2.imwrite(str(tmp_path / 'val/ann/1.png'), mask)
    message = r'holds \[77\], outside of the 3 classes \(1 to 3; .*0 and 255'
    refused(ValueError, message, reduce_zero_label=True)


def warnings_of(monkeypatch):
    """List to which warnings will be added."""
    told = []

    def note(text, logger, level=logging.INFO):
        if level == logging.WARNING:
            told.append(text)

    monkeypatch.setattr(trials, 'print_log', note)
    return told


def test_masks_that_are_read_otherwise_are_told(tmp_path, monkeypatch):
    told = warnings_of(monkeypatch)
    settings = val_settings(tmp_path)
    toy_runner(tmp_path, **settings).train()
    assert told == []
    settings['val_dataloader']['dataset']['reduce_zero_label'] = True
    toy_runner(tmp_path, **settings).train()
    assert len(told) == 1
    assert 'val_dataloader.dataset.reduce_zero_label is True' in told[0]


def test_scores_of_what_is_learnt_are_told(tmp_path, monkeypatch):
    told = warnings_of(monkeypatch)
    settings = val_settings(tmp_path)
    settings['val_dataloader']['dataset']['data_root'] = str(
        tmp_path / 'labelled'
    )
    toy_runner(tmp_path, **settings).train()
    (text,) = told
    assert text.startswith('3 of 3 images of val_dataloader.dataset are lab')
    assert str(tmp_path / 'labelled/img/0.png') in text


def test_scores_that_there_are_not(refused):
    message = "val_evaluator.iou_metrics='Dice'.*did you mean 'mDice'"
    refused(ValueError, message, dict(iou_metrics=['mIoU', 'Dice']))


@pytest.mark.parametrize('learners', [None, ['students.0', 'teachers.1']])
def test_names_of_scores_are_those_of_a_validation(tmp_path, learners):
    settings = val_settings(tmp_path)
    metrics = dict(iou_metrics=['mDice', 'mIoU', 'mFscore'])
    settings['val_evaluator'] = [dict(type='IoUMetric', **metrics)]
    model = toy_model_cfg()
    if learners:
        settings['val_evaluator'] = [
            dict(type='LearnersIoUMetric', learners=learners, **metrics),
            dict(type='IoUMetric', prefix='again'),
        ]
        model['test_cfg'] = dict(mode='whole', score=learners)
    runner = toy_runner(tmp_path, model=model, **settings)
    loop = runner.val_loop
    scores = {*loop.run()}
    assert score_names(loop) == scores and 'mPrecision' in scores
    assert ('again/mIoU' in scores) == bool(learners)


def test_scores_of_another_metric_are_not_known():
    class Own(IoUMetric):
        pass

    evaluator = SimpleNamespace(metrics=[IoUMetric(), Own()])
    assert score_names(SimpleNamespace(evaluator=evaluator)) == set()
    evaluator.metrics.pop()
    assert 'mIoU' in score_names(SimpleNamespace(evaluator=evaluator))


@pytest.mark.parametrize(
    ('best', 'message'),
    [
        (
            'mDice',
            "'mDice' is not a .*add 'mDice' to val_evaluator.iou_metrics",
        ),
        (
            ['mIoU', 'mIou'],
            r"'mIou' is not a .*did you mean 'mIoU'[?] Known: \['aAcc',",
        ),
    ],
)
def test_the_best_by_a_score_that_there_is_not(tmp_path, best, message):
    hook = dict(
        type='CheckpointHook',
        by_epoch=False,
        save_best=best,
        rule='greater',
    )
    runner = toy_runner(
        tmp_path,
        **val_settings(tmp_path),
        default_hooks=dict(checkpoint=hook),
    )
    with pytest.raises(ValueError, match=message):
        runner.train()
    assert runner.iter == 0


def test_label_maps_of_one_name(refused, tmp_path):
    write_toy_sets(tmp_path)
    for part in ('img', 'ann'):
        folder = tmp_path / 'val' / part / 'more'
        folder.mkdir(parents=True)
        write_images(tmp_path / 'other', 1)
        (tmp_path / 'other' / part / '0.png').rename(folder / '0.png')
    message = r'val_evaluator.output_dir would write .*more/0.png'
    refused(ValueError, message, dict(output_dir=str(tmp_path / 'maps')))


def test_an_error_without_a_text_shows_its_line():
    def fail():
        assert 1 > 2

    with pytest.raises(AssertionError) as caught:
        fail()
    caught.value.args = ()
    assert 'AssertionError: assert 1 > 2 (' in trials.described(caught.value)
    assert trials.described(ValueError('text')) == 'ValueError: text'


def test_a_batch_that_cannot_be_stacked_is_told_before_the_teachers_read(
    tmp_path, monkeypatch
):
    def read(*args):
        raise AssertionError('the teachers read all images')

    monkeypatch.setattr(staged_train_loop, 'run_stage_pass', read)
    model = toy_model_cfg()
    model['data_preprocessor']['size'] = (4, 4)
    runner = toy_runner(tmp_path, model=model)
    for image in ('1', '2'):
        path = str(tmp_path / f'unlabelled/img/{image}.png')
        cv2.imwrite(path, np.zeros((9, int(image) + 4, 3), np.uint8))
    with pytest.raises(ValueError, match='unlabelled.pipeline gives images'):
        runner.train()


def test_images_of_other_channels(tmp_path):
    runner = toy_runner(tmp_path)
    loader = runner.cfg.train_dataloader
    loader.dataset.labelled.pipeline[0]['color_type'] = 'grayscale'
    runner = toy_runner(tmp_path, train_dataloader=loader)
    message = (
        r'labelled.pipeline gives images of 1 channels.*mean has 3.*color'
    )
    with pytest.raises(ValueError, match=message):
        runner.train()


def test_predictions_without_masks(tmp_path):
    """As for a test set whose labels are secret."""
    settings = val_settings(tmp_path)
    dataset = settings['val_dataloader']['dataset']
    dataset.update(data_prefix=dict(img_path='img'))
    del dataset['pipeline'][1]
    settings['val_evaluator'].update(
        format_only=True, output_dir=str(tmp_path / 'maps')
    )
    runner = toy_runner(tmp_path, **settings)
    runner.train()
    assert runner.iter == 4
    assert len(list((tmp_path / 'maps').iterdir())) == 2


def test_a_try_changes_nothing(tmp_path, monkeypatch):
    tried = toy_runner(tmp_path, **val_settings(tmp_path)).train()
    for name in ('try_batch', 'try_validation'):
        monkeypatch.setattr(staged_train_loop, name, lambda *_: None)
    plain = toy_runner(tmp_path, **val_settings(tmp_path)).train()
    for key, value in plain.state_dict().items():
        assert value.equal(tried.state_dict()[key]), key


@pytest.mark.parametrize(
    ('best', 'classes', 'message'),
    [
        ('IoU.tree', [], r"set val_evaluator.classes=\['tree'\]"),
        ('students.1/mIoU', [], "add 'students.1' to val_evaluator.learners"),
        ('IoU.tree', ['tree'], None),
    ],
)
def test_the_best_by_a_class(tmp_path, best, classes, message):
    settings = val_settings(tmp_path)
    settings['val_evaluator'] = [
        dict(type='LearnersIoUMetric', classes=classes)
    ]
    hook = dict(type='AtomicCheckpointHook', by_epoch=False, save_best=best)
    runner = toy_runner(
        tmp_path, **settings, default_hooks=dict(checkpoint=hook)
    )
    if message is None:
        runner.train()
        assert any('best_IoU.tree' in p.name for p in tmp_path.glob('**/*'))
    else:
        with pytest.raises(ValueError, match=message):
            runner.train()


def test_black_and_white_masks_are_told(tmp_path, monkeypatch):
    told = warnings_of(monkeypatch)
    settings = val_settings(tmp_path)
    write_toy_sets(tmp_path)
    for path in (tmp_path / 'val/ann').iterdir():
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), np.where(mask == 1, 255, 0).astype(np.uint8))
    toy_runner(tmp_path, **settings).train()
    (text,) = told
    assert text.startswith('val_dataloader.dataset: the checked masks ')
    assert 'have only the values [0, 255], and' in text


def test_images_of_which_loading_leaves_nothing_are_told(
    tmp_path, monkeypatch
):
    told = warnings_of(monkeypatch)
    toy_runner(tmp_path).train()
    assert told == []
    path = next((tmp_path / 'unlabelled/img').iterdir())
    size = cv2.imread(str(path)).shape[:2]
    dark = np.arange(size[0] * size[1], dtype=np.uint16).reshape(size)
    cv2.imwrite(str(path), dark)
    toy_runner(tmp_path).train()
    (text,) = told
    assert text.startswith('train_dataloader.dataset.unlabelled: ')
    assert f'{path.name}' in text and 'image_folder.py --range' in text


def test_a_network_that_takes_some_sizes_alone(refused, monkeypatch):
    def forward(*args, **kwargs):
        raise AssertionError('The size should be divisible by the rate 16')

    monkeypatch.setattr(MutualSemiSegmentor, 'predict', forward)
    message = r'divisible.*; set model.data_preprocessor.test_cfg=dict\(size'
    refused(RuntimeError, message)
