import pytest

from tests.quick import skip_formatting


@pytest.fixture(autouse=True)
def quick_runners(monkeypatch):
    """What a Runner reports of itself takes longer than toys train."""
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
    with skip_formatting():
        yield
