import pytest
from mmengine.logging import MessageHub

from rml_mmseg.engine.loops.draws import draws_before


@pytest.fixture
def hub():
    return MessageHub('draws')


def test_every_iteration_draws_as_many(hub):
    assert draws_before(hub, 0, 8) == 0
    assert draws_before(hub, 5, 8) == 40
    assert draws_before(hub, 7, 8) == 56


def test_counted_on_from_where_it_changed(hub):
    draws_before(hub, 0, 8)
    # Resumed at 5 with half of the processes, then at 9 with all.
    assert draws_before(hub, 5, 4) == 40
    assert draws_before(hub, 9, 8) == 56
    assert draws_before(hub, 10, 8) == 64


def test_checkpoint_without_a_count(hub):
    assert draws_before(hub, 5, 8) == 40


def test_new_run_with_the_hub_of_another(hub):
    draws_before(hub, 5, 4)
    assert draws_before(hub, 0, 8) == 0
    assert draws_before(hub, 1, 8) == 8
