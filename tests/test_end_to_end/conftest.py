import pytest


@pytest.fixture(autouse=True)
def unformatted_configs(monkeypatch):
    """Formatting the config takes longer than training the tiny networks."""
    monkeypatch.setattr(
        'mmengine.config.config.FormatCode',
        lambda text, **kwargs: (text, True),
    )
