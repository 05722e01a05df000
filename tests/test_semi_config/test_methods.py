import pytest

from rml_mmseg.run_length import LONG_RUN
from rml_mmseg.semi_config.methods import (
    SOURCES,
    SUPERVISED,
    TITLES,
    find_method,
    networks_of,
)

BOX = dict(type='CutMix')
TWO_BOXES = dict(type='CutMix', num_masks=2)
# As the papers and docs/settings.md have them.
EXPECTED = dict(
    mean_teacher=({}, 1, False, []),
    fixmatch=(dict(self_source='student', confidence=0.95), 1, True, [BOX]),
    cutmix_seg=(
        dict(loss=dict(type='ConsistencyLoss'), confidence_share=0.97),
        1,
        False,
        [BOX],
    ),
    classmix=(
        dict(confidence_share=0.968),
        1,
        True,
        [dict(type='CutMix', mask='class')],
    ),
    cps=(dict(peer_source='student', self_weight=0.0), 1, False, [BOX]),
    dmt=(
        dict(
            p0='stage',
            self_weight=0.0,
            loss=dict(type='DynamicMutualLoss'),
        ),
        1,
        True,
        [BOX],
    ),
    unimatch=(
        dict(
            self_source='student',
            confidence=0.95,
            strong_views=2,
            feature_dropout=0.5,
            unsup_weight=0.5,
        ),
        2,
        True,
        [TWO_BOXES],
    ),
    unimatch_v2=(
        dict(confidence=0.95, strong_views=2, complementary_dropout=0.5),
        2,
        True,
        [TWO_BOXES],
    ),
)


@pytest.mark.parametrize('name', SOURCES)
def test_a_rival_is_what_its_config_says(name):
    method = find_method(name)
    settings, num_strong, recoloured, mixing = EXPECTED[name]
    assert method.semi_train_cfg == settings
    assert (method.num_strong, method.recoloured) == (num_strong, recoloured)
    assert method.mixing == mixing
    assert method.learners == (2 if name in ('cps', 'dmt') else 1)
    deployed = 'students.0' if name == 'cps' else 'teachers.0'
    assert method.predict_on == deployed
    assert not method.rectified


@pytest.mark.parametrize(
    ('learners', 'iters', 'settings'),
    [
        (2, LONG_RUN - 1, dict(p0='stage', ensemble_p0=True)),
        (2, LONG_RUN, {}),
        # Without a rectifier, labels of the stage's start never improve.
        (1, LONG_RUN - 1, {}),
    ],
)
def test_labels_of_rml_are_those_of_a_short_stage(learners, iters, settings):
    method = find_method('rml', learners, iters)
    assert method.semi_train_cfg == settings
    assert method.num_strong == method.learners == learners
    assert method.rectified == (learners == 2)
    assert method.mixing == [BOX]


def test_numbers_of_networks():
    assert [name for name in TITLES if networks_of(name) == 2] == [
        'cps',
        'dmt',
        'rml',
    ]
    assert networks_of(SUPERVISED) == 1
    assert networks_of('rml', 1) == 1
    with pytest.raises(ValueError, match=r'fixmatch has 1\. Leave it out'):
        find_method('fixmatch', 2)
