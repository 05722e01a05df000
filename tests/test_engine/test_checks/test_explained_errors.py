"""Errors of the libraries below name the setting or the file."""

import sys
from argparse import Namespace
from urllib.error import URLError

import pytest
import torch
from mmengine.registry import Registry
from mmengine.runner import load_checkpoint
from mmseg.datasets import BaseSegDataset

from rml_mmseg.compat import SAFE_LOADING
from rml_mmseg.engine.checks.explained_errors import explained_errors
from rml_mmseg.engine.whole_checkpoint import CheckpointError
from rml_mmseg.models import load_optional
from tests.toys import labelled_cfg, toy_mutual, write_images

WEIGHTS = 'https://example.org/weights.pth'


@pytest.mark.parametrize('kind', [OSError, TypeError, ValueError])
def test_other_errors_stay_as_they_are(kind):
    with pytest.raises(kind, match='^else$'), explained_errors({}):
        raise kind('else')


def test_unknown_setting_of_a_component():
    registry = Registry('of this test')

    @registry.register_module()
    class Thing:
        def __init__(self, interval=1):
            """A component."""

    with (
        pytest.raises(
            TypeError,
            match="Thing has no setting 'intervals'; did you mean 'interval'",
        ),
        explained_errors({}),
    ):
        registry.build(dict(type='Thing', intervals=2))


def test_a_misspelt_type_has_a_hint():
    parent = Registry('thing', scope='mmengine')
    child = Registry('thing', parent=parent, scope='mmseg')
    parent.register_module(name='NearThing', module=dict)
    message = (
        'NearThin is not in the mmseg::thing registry; did you mean '
        "'NearThing'[?] If it is your own, name its module in custom_imports"
    )
    with pytest.raises(KeyError, match=message), explained_errors({}):
        child.build(dict(type='NearThin'))


def test_what_a_class_hands_on_to_its_base_is_known():
    registry = Registry('thing')

    class Base:
        def __init__(self, power=1, **kwargs):
            """Take what a scheduler takes."""

    @registry.register_module()
    class Child(Base):
        def __init__(self, optimizer, *args, **kwargs):
            super().__init__(*args, **kwargs)
            if kwargs.get('powers'):
                raise TypeError("got an unexpected keyword argument 'powers'")

    with (
        pytest.raises(
            TypeError,
            match=r"did you mean 'power'\? Known: \['optimizer', 'power'\]",
        ),
        explained_errors({}),
    ):
        registry.build(dict(type='Child', optimizer=None, powers=2))


@pytest.mark.skipif(
    sys.version_info < (3, 10), reason='errors name no class before 3.10'
)
def test_another_class_is_not_blamed():
    """Such as the class of a DataLoader that a loop builds from a config."""
    registry = Registry('loop')

    class Loader:
        def __init__(self, batch_size=1):
            """Build the loader, as the loop does."""

    @registry.register_module()
    class Loop:
        def __init__(self, loader):
            Loader(**loader)

    with (
        pytest.raises(TypeError, match="Loader.__init__.* 'batchsize'"),
        explained_errors({}),
    ):
        registry.build(dict(type='Loop', loader=dict(batchsize=2)))


@pytest.mark.parametrize('wrong', ['size', 'channels'])
def test_a_fault_of_the_class_is_no_wrong_setting(wrong):
    """The setting is not in the config, or the class does know it."""
    registry = Registry('head')

    @registry.register_module()
    class Head:
        def __init__(self, channels=1):
            self.convolve(**{wrong: channels})

        def convolve(self, width):
            """Accept neither of the settings."""

    with (
        pytest.raises(TypeError, match=rf"convolve\(\) got .* '{wrong}'"),
        explained_errors({}),
    ):
        registry.build(dict(type='Head', channels=2))


def test_weights_that_cannot_be_downloaded():
    init = dict(type='Pretrained', checkpoint=WEIGHTS)
    network = dict(pretrained='torchvision://resnet18', depth=18)
    cfg = dict(
        model=dict(segmentors=[dict(backbone=dict(init_cfg=init)), network])
    )
    with (
        pytest.raises(RuntimeError, match='cannot be downloaded') as caught,
        explained_errors(cfg),
    ):
        raise URLError('no such host')
    assert str(caught.value).splitlines()[1:] == [
        f'  model.segmentors.0.backbone.init_cfg.checkpoint = {WEIGHTS!r}',
        "  model.segmentors.1.pretrained = 'torchvision://resnet18'",
    ]


def test_data_set_without_images_is_named(tmp_path):
    write_images(tmp_path, 2)
    cfg = labelled_cfg(tmp_path, serialize_data=True)
    del cfg['type']
    with explained_errors({}):
        assert len(BaseSegDataset(**cfg)) == 2
    cfg['img_suffix'] = '.tif'
    message = "no image.*img_suffix='.tif'"
    with pytest.raises(ValueError, match=message), explained_errors({}):
        BaseSegDataset(**cfg)


def load(path):
    with explained_errors({}):
        load_checkpoint(toy_mutual(), str(path))


def test_weights_that_are_missing(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.pth' cannot be read"):
        load(tmp_path / 'none.pth')


@pytest.mark.parametrize('size', [0, 9, 5000])
def test_weights_that_end_early(tmp_path, size):
    whole, part = tmp_path / 'whole.pth', tmp_path / 'part.pth'
    torch.save(toy_mutual().state_dict(), whole)
    part.write_bytes(whole.read_bytes()[:size])
    with pytest.raises(CheckpointError, match=r"part\.pth' cannot be read"):
        load(part)
    with (
        pytest.raises(CheckpointError, match=r"part\.pth' cannot be read"),
        explained_errors({}),
    ):
        load_optional(f'optional:{part}')


@pytest.mark.skipif(not SAFE_LOADING, reason='PyTorch reads any object')
def test_an_object_that_is_not_allowed_is_named(tmp_path):
    torch.save(dict(args=Namespace(lr=0.1)), tmp_path / 'args.pth')
    named = r'\(Unsup.*argparse\.Namespace.*\): check the [^\n]*$'
    with pytest.raises(CheckpointError, match=named):
        load(tmp_path / 'args.pth')


def test_another_function_of_the_same_name():
    def load_from_local(path):
        raise OSError(path)

    with pytest.raises(OSError, match='mine'), explained_errors({}):
        load_from_local('mine')


def test_weights_of_another_network_stay_what_they_are(tmp_path):
    torch.save({'x': torch.zeros(2)}, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='fits no learner'):
        load(tmp_path / 'other.pth')
