"""Models inside wrappers."""

import pytest
from mmengine.model import BaseTTAModel

from rml_mmseg.engine.unwrap import in_training, unwrap
from tests.toys import toy_mutual


class Wrapper(BaseTTAModel):
    """One of the wrappers that mmengine puts around a model."""

    def merge_preds(self, data_samples_list):
        return data_samples_list


def test_the_model_inside_is_found():
    model = toy_mutual()
    assert unwrap(Wrapper(model)) is model and unwrap(model) is model


@pytest.mark.parametrize(
    'part',
    ['', 'module', 'module.students.1', 'module.students.0.decode_head'],
)
def test_training_mode_is_that_of_all(part):
    wrapped = Wrapper(toy_mutual()).train()
    assert in_training(wrapped)
    # Set only this flag: ``train(False)`` would set those of children, too.
    wrapped.get_submodule(part).training = False
    assert not in_training(wrapped)
    assert in_training(wrapped.train())
