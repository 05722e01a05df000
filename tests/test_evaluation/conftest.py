import pytest


@pytest.fixture(autouse=True)
def quick_runners(monkeypatch):
    """What a Runner reports of itself takes longer than toys train."""
    monkeypatch.setattr(
        'mmengine.config.config.FormatCode',
        lambda text, **kwargs: (text, True),
    )
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
