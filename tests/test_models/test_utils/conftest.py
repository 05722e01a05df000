"""Both ways that prototypes are computed, on whatever device there is."""

from unittest import mock

import pytest

from rml_mmseg.models.utils import prototypes


@pytest.fixture(
    scope='module', params=['small pieces', 'large steps', 'several steps']
)
def each_way(request):
    """As a CPU and as a GPU does it, the latter also in several steps."""
    if request.param == 'small pieces':
        yield
        return
    elements = dict(LARGE_ELEMENTS=20) if 'several' in request.param else {}
    changed = dict(elements, _on_cpu=lambda features: False)
    with mock.patch.multiple(prototypes, **changed):
        yield
