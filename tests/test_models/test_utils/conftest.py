"""The ways that prototypes are computed, on whatever device there is."""

import pytest

from rml_mmseg.models.utils import batched_prototypes, prototypes


@pytest.fixture(
    scope='module',
    params=['small pieces', 'large steps', 'several steps'],
)
def each_way(request):
    """Compute as on a CPU and as on a GPU, also in several steps."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param != 'small pieces':
            patch.setattr(prototypes, '_on_cpu', lambda features: False)
        if request.param == 'several steps':
            patch.setattr(batched_prototypes, 'LARGE_ELEMENTS', 20)
        yield
