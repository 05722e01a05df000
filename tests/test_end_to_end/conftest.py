import pytest

from tests.quick import skip_formatting


@pytest.fixture(autouse=True)
def unformatted_configs():
    """Formatting the config takes longer than training the tiny networks."""
    with skip_formatting():
        yield
