"""Leaving out what takes longer than toys train."""

from unittest import mock

import mmengine.config.config
import pytest
import yapf.yapflib.yapf_api


def skip_formatting():
    """Patch out the formatting of configs before they are logged or saved."""
    # Forks of mmengine import the function from yapf where they use it.
    owner = mmengine.config.config
    if not hasattr(owner, 'FormatCode'):
        owner = yapf.yapflib.yapf_api
    return mock.patch.object(
        owner, 'FormatCode', lambda text, **kwargs: (text, True)
    )


@pytest.fixture(autouse=True)
def quick_runners(monkeypatch):
    """Turn off a Runner's reports, which take longer than toys train."""
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
    with skip_formatting():
        yield
