"""What would stop the first validation stops the run before it trains."""

import pytest

from rml_mmseg.engine.loops import staged_train_loop
from tests.toys import toy_runner, val_settings


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
    monkeypatch.setattr(staged_train_loop, 'try_validation', lambda loop: None)
    plain = toy_runner(tmp_path, **val_settings(tmp_path)).train()
    for key, value in plain.state_dict().items():
        assert value.equal(tried.state_dict()[key]), key
