"""Errors about a setting that a component lacks name the nearest."""

import sys

import pytest
from mmengine.registry import Registry

from rml_mmseg.engine.checks.unknown_settings import unknown_settings_explained
from rml_mmseg.engine.hooks import AtomicCheckpointHook


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
        unknown_settings_explained(),
    ):
        registry.build(dict(type='Thing', intervals=2))


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
        unknown_settings_explained(),
    ):
        registry.build(dict(type='Child', optimizer=None, powers=2))


@pytest.mark.skipif(
    sys.version_info < (3, 10), reason='errors name no class before 3.10'
)
def test_another_class_is_not_blamed():
    """As of a loop that builds a DataLoader from a config."""
    registry = Registry('loop')

    class Loader:
        def __init__(self, batch_size=1):
            """What the loop builds."""

    @registry.register_module()
    class Loop:
        def __init__(self, loader):
            Loader(**loader)

    with (
        pytest.raises(TypeError, match="Loader.__init__.* 'batchsize'"),
        unknown_settings_explained(),
    ):
        registry.build(dict(type='Loop', loader=dict(batchsize=2)))


@pytest.mark.parametrize('wrong', ['size', 'channels'])
def test_a_fault_of_the_class_is_no_wrong_setting(wrong):
    """Which the config does not give, or which the class does know."""
    registry = Registry('head')

    @registry.register_module()
    class Head:
        def __init__(self, channels=1):
            self.convolve(**{wrong: channels})

        def convolve(self, width):
            """Knows neither."""

    with (
        pytest.raises(TypeError, match=rf"convolve\(\) got .* '{wrong}'"),
        unknown_settings_explained(),
    ):
        registry.build(dict(type='Head', channels=2))


def test_other_errors_stay_as_they_are():
    with (
        pytest.raises(TypeError, match='^can only concatenate'),
        unknown_settings_explained(),
    ):
        _ = [] + ()


def test_unknown_setting_of_the_checkpoints():
    with pytest.raises(ValueError, match="'intervals'.*'interval'"):
        AtomicCheckpointHook(intervals=3)
