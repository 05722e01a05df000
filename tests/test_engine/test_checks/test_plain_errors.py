"""Errors for the user have no traceback, and faults have one."""

from math import nan
from urllib.error import URLError

import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.optim import OptimWrapper
from mmseg.registry import MODELS
from torch import nn
from torch.optim import SGD

from rml_mmseg.datasets.load_item import load_item
from rml_mmseg.engine.checks.explained_errors import explained_errors
from rml_mmseg.engine.checks.plain_errors import plain_errors
from rml_mmseg.engine.loops.stage_files import StageFiles
from rml_mmseg.engine.optimizers import MutualOptimWrapper
from rml_mmseg.models.rectifiers.rectifier import Rectifier
from rml_mmseg.setting_checks import check_choice


def test_a_wrong_setting():
    with pytest.raises(SystemExit) as left, plain_errors():
        check_choice('model.x', 'teecher', ['teacher'])
    assert str(left.value).startswith("error: model.x='teecher' is unknown")


def test_a_setting_that_there_is_not():
    message = "^error: PrototypeRectifier has no setting 'momentumm'"
    with (
        pytest.raises(SystemExit, match=message),
        plain_errors(),
        explained_errors({}),
    ):
        MODELS.build(dict(type='PrototypeRectifier', momentumm=0.9))


def test_a_type_that_is_not_registered():
    message = '^error: ResNett is not in the'
    with pytest.raises(SystemExit, match=message), plain_errors():
        MODELS.build(dict(type='ResNett'))


@pytest.mark.parametrize('part', [None, {}, dict(type=3)])
def test_a_registry_that_does_not_say_of_what(part):
    """As with ``backbone=None``, where only the traceback tells the place."""
    with pytest.raises((KeyError, TypeError)), plain_errors():
        MODELS.build(part)


def test_weights_that_cannot_be_downloaded():
    with (
        pytest.raises(SystemExit, match='^error: pretrained weights'),
        plain_errors(),
        explained_errors({}),
    ):
        raise URLError('no such host')


def items(transform):
    dataset = BaseDataset(
        pipeline=[transform], serialize_data=False, lazy_init=True
    )
    dataset.data_list = [dict(img_path='a.png')]
    dataset._fully_initialized = True
    return dataset


def test_an_item_that_is_wrong_and_one_that_fails():
    def wrong(results):
        check_choice('mask', 'x', ['y'])

    def fails(results):
        return results['gone']

    with pytest.raises(SystemExit, match=r'^error: .*a\.png'), plain_errors():
        load_item(items(wrong), 0)
    with pytest.raises(RuntimeError, match=r'a\.png'), plain_errors():
        load_item(items(fails), 0)


def test_an_item_that_is_nothing():
    message = r"^error: the pipeline returned None for 'a\.png'$"
    with pytest.raises(SystemExit, match=message), plain_errors():
        load_item(items(lambda results: None), 0)


def test_a_run_that_diverged():
    wrapper = MutualOptimWrapper(
        on_nonfinite='stop',
        student=OptimWrapper(SGD(nn.Linear(1, 1).parameters(), lr=1)),
    )
    with pytest.raises(SystemExit, match='^error: .*finite'), plain_errors():
        wrapper.update_params(torch.tensor(nan, requires_grad=True))


def test_a_file_that_is_missing():
    with pytest.raises(SystemExit, match="^error: 'n.pth'"), plain_errors():
        StageFiles._load('n.pth')


def test_a_method_that_a_child_has_to_have():
    with pytest.raises(NotImplementedError), plain_errors():
        Rectifier.forward(None, None, None)


def test_what_nobody_raised_on_purpose():
    with pytest.raises(TypeError), plain_errors():
        check_choice('x', 'a', None)


def test_what_others_raised():
    with pytest.raises(ValueError, match='int'), plain_errors():
        int('x')
    with pytest.raises(ValueError, match='mine'), plain_errors():
        raise ValueError('mine')
