import logging

import pytest
import torch
from mmengine.logging import MMLogger
from mmseg.registry import MODELS

from rml_mmseg.models import load_optional
from tests.toys import ToyBackbone


def _build(path):
    checkpoint = f'optional:{path}'
    backbone = MODELS.build(
        dict(
            type='ToyBackbone',
            init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
        )
    )
    backbone.init_weights()
    return backbone


def test_weights_that_are_there_are_loaded(tmp_path):
    path = tmp_path / 'weights.pth'
    state = ToyBackbone().state_dict()
    torch.save(state, path)
    loaded = _build(path).state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


@pytest.fixture
def told():
    """What is logged, as (level, message)."""
    records = []
    handler = logging.Handler()
    handler.emit = lambda r: records.append((r.levelname, r.getMessage()))
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def test_missing_weights_are_told_and_done_without(tmp_path, told):
    path = tmp_path / 'absent.pth'
    assert load_optional(f'optional:{path}') == {}
    level, message = told[-1]
    assert level == 'WARNING'
    assert 'absent.pth' in message
    assert 'WEIGHTS_ROOT' in message
    torch.manual_seed(3)
    expected = ToyBackbone().state_dict()
    torch.manual_seed(3)
    state = _build(path).state_dict()
    assert all(torch.equal(state[key], expected[key]) for key in expected)


def test_code_in_a_file_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / 'ran'), 'w')

    torch.save(dict(x=Evil()), tmp_path / 'evil.pth')
    with pytest.raises(Exception, match='[Ww]eights'):
        load_optional(f'optional:{tmp_path / "evil.pth"}')
    assert not (tmp_path / 'ran').exists()
