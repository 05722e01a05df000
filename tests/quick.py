"""Leaving out what takes longer than toys train."""

from unittest import mock

import mmengine.config.config
import pytest
import yapf.yapflib.yapf_api


def skip_formatting():
    """A patch of what formats a config before it is logged or saved."""
    # The forks of mmengine import the function where they use it.
    owner = mmengine.config.config
    if not hasattr(owner, 'FormatCode'):
        owner = yapf.yapflib.yapf_api
    return mock.patch.object(
        owner, 'FormatCode', lambda text, **kwargs: (text, True)
    )


@pytest.fixture(autouse=True)
def quick_runners(monkeypatch):
    """What a Runner reports of itself takes longer than toys train."""
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
    with skip_formatting():
        yield
