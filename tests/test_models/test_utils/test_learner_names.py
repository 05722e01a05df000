from hypothesis import given
from hypothesis import strategies as st

from rml_mmseg.models.utils.learner_names import learner_names, prediction_key


def test_learner_names():
    assert learner_names(2) == [
        'students.0',
        'students.1',
        'teachers.0',
        'teachers.1',
        'ensemble',
    ]


@given(count=st.integers(1, 20))
def test_prediction_keys_are_attributes_of_their_own(count):
    keys = [prediction_key(name) for name in learner_names(count)]
    assert len(set(keys)) == 2 * count + 1
    assert all(key.isidentifier() for key in keys)
    assert 'pred_sem_seg' not in keys


def test_prediction_key_by_hand():
    assert prediction_key('students.1') == 'pred_students_1'
