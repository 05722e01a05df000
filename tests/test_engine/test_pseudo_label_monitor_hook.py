"""The monitor on records made by hand, and on real runs of toys."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from rml_mmseg.engine import PseudoLabelMonitorHook
from rml_mmseg.models import PrototypeRectifier
from tests.toys import toy_model_cfg, toy_runner

RUNS = iter(range(1000))


def soft(labels, sure=0.8, classes=3):
    """Probabilities (N, K, H, W) whose largest class is the label."""
    rest = (1 - sure) / (classes - 1)
    hot = torch.nn.functional.one_hot(labels, classes).movedim(-1, 1)
    return hot * (sure - rest) + rest


def source(plain, labels=None, sure=0.8):
    plain = torch.tensor(plain)[None, None]
    labels = plain if labels is None else torch.tensor(labels)[None, None]
    return dict(probs=soft(plain, sure), plain=plain, labels=labels)


def rectifier(*prototypes):
    unit = PrototypeRectifier(num_classes=3, channels=2)
    unit.prototypes.copy_(torch.tensor(prototypes).float())
    unit.counts.copy_(unit.prototypes.isfinite().all(1))
    return unit


@pytest.fixture
def look():
    """Function that gives a record to a hook and returns its scalars."""

    def run(hook, record, confidence=None, rectifiers=(), iteration=0):
        model = SimpleNamespace(
            record=None,
            num_classes=3,
            semi_train_cfg=SimpleNamespace(confidence=confidence),
            rectifiers=list(rectifiers),
        )
        hub = MessageHub.get_instance(f'monitor_{next(RUNS)}')
        runner = SimpleNamespace(iter=iteration, model=model, message_hub=hub)
        hook.before_train_iter(runner, 0)
        if model.record is not None:
            model.record.update(record)
        hook.after_train_iter(runner, 0)
        assert model.record is None
        prefix = 'train/monitor/'
        assert all(key.startswith(prefix) for key in hub.log_scalars)
        return {
            key[len(prefix) :]: value.current()
            for key, value in hub.log_scalars.items()
        }

    return run


def record(sources, labelled=(0, 1, 1, 2), valid=(1, 1, 1, 1), masks=None):
    made = dict(
        sources=sources,
        valid=torch.tensor(valid).bool()[None, None],
        labelled=torch.tensor(labelled)[None, None],
    )
    if masks is not None:
        made['masks'] = torch.tensor(masks)[None, None]
    return made


def test_every_scalar_by_hand(look):
    hook = PseudoLabelMonitorHook(interval=1)
    sources = {
        'teachers.0': source([0, 1, 1, 2], [0, 1, 2, 1]),
        'teachers.1': source([0, 1, 2, 2], sure=0.6),
    }
    units = [rectifier((0, 0), (3, 4), (6, 8))] * 2
    made = record(sources, valid=(1, 1, 1, 0), masks=(0, 1, 2, 255))
    found = look(hook, made, confidence=0.7, rectifiers=units)
    # 0.8, 0.1, 0.1 and 0.6, 0.2, 0.2: half of 0.2 + 0.1 + 0.1 where they
    # agree; 0.1, 0.8, 0.1 and 0.2, 0.2, 0.6: half of 0.1 + 0.6 + 0.5.
    assert found == pytest.approx(
        {
            'total_variation': (0.2 + 0.2 + 0.6) / 3,
            'agreement': 2 / 3,
            'teachers.0/confidence': 0.8,
            # The rectifier's label has a probability of 0.1 at one of them.
            'teachers.0/kept': 2 / 3,
            'teachers.0/changed': 1 / 3,
            # Labels 0, 1, 2 of valid pixels against 1/4, 1/2, 1/4.
            'teachers.0/prior_gap': 1 / 6,
            'teachers.0/starved_classes': 0,
            'teachers.0/accuracy': 1.0,
            'teachers.0/mIoU': 1.0,
            'teachers.0/accuracy_raw': 2 / 3,
            'teachers.0/mIoU_raw': (1 + 1 / 2 + 0) / 3,
            'teachers.0/nearest_prototypes': 5.0,
            'teachers.1/confidence': 0.6,
            'teachers.1/kept': 0.0,
            'teachers.1/changed': 0.0,
            'teachers.1/prior_gap': 1 / 6,
            'teachers.1/starved_classes': 0,
            'teachers.1/accuracy': 1.0,
            'teachers.1/mIoU': 1.0,
            'teachers.1/accuracy_raw': 1.0,
            'teachers.1/mIoU_raw': 1.0,
            'teachers.1/nearest_prototypes': 5.0,
        },
        abs=1e-6,
    )


def test_few_scalars_without_rectifier_threshold_masks_and_peer(look):
    made = record({'teachers.0': source([0, 1, 1, 2])})
    assert set(look(PseudoLabelMonitorHook(interval=1), made)) == {
        'teachers.0/confidence',
        'teachers.0/prior_gap',
        'teachers.0/starved_classes',
    }


def test_students_that_teach_are_those_whose_coupling_is_seen(look):
    made = record(
        {'students.0': source([0, 1]), 'students.1': source([1, 1])},
        valid=(1, 1),
        masks=(0, 0),
    )
    found = look(PseudoLabelMonitorHook(interval=1), made)
    # 0.8, 0.1, 0.1 and 0.1, 0.8, 0.1 on one of two pixels.
    assert found['total_variation'] == pytest.approx(0.7 / 2)
    assert found['agreement'] == 0.5
    assert found['students.0/accuracy'] == 0.5
    assert found['students.1/accuracy'] == 0.0
    assert 'students.0/accuracy_raw' not in found


@pytest.mark.parametrize(
    'cfg', [dict(ensemble_p0=True), dict(p0='stage')], ids=str
)
def test_coupling_is_that_of_the_teachers_not_of_their_labels(tmp_path, cfg):
    """Whatever makes the labels, coupling compares the current teachers."""
    monitor = PseudoLabelMonitorHook(interval=1)
    seen = []

    def look(runner, model, record):
        weak = record['weak']
        probs = [t._forward(weak).softmax(1) for t in model.teachers]
        valid = record['valid']
        gap = (probs[0] - probs[1]).abs().sum(1)[valid].mean() / 2
        couple = monitor._couple(record)
        seen.append((float(gap), float(couple['total_variation'])))

    monitor.look = look
    model = toy_model_cfg(semi_train_cfg=cfg)
    toy_runner(tmp_path, [monitor], model=model).train()
    assert len(seen) == 4
    expected, found = zip(*seen)
    # Teachers move between the labels and the look of the monitor.
    assert min(found) > 1e-3
    assert len(set(found)) == 4
    assert found[1:] == pytest.approx(expected[:-1], abs=0.1)


def test_a_class_that_pseudo_labels_lost(look):
    sources = {'teachers.0': source([0] * 19 + [1])}
    made = record(
        sources, labelled=[0] * 4 + [1] * 10 + [2] * 6, valid=[1] * 20
    )
    found = look(PseudoLabelMonitorHook(interval=1), made)
    # Class 1 has 0.05, a tenth of 0.5 and not less; class 2 has nothing.
    assert found['teachers.0/starved_classes'] == 1
    assert found['teachers.0/prior_gap'] == pytest.approx(0.75)


def named(hook, *names):
    """Give the hook the class names, as before a training."""
    metainfo = dict(classes=names)
    dataset = SimpleNamespace(metainfo=metainfo)
    loader = SimpleNamespace(dataset=dataset)
    hook.before_train(
        SimpleNamespace(train_loop=SimpleNamespace(dataloader=loader))
    )
    return hook


def test_single_classes(look):
    hook = PseudoLabelMonitorHook(interval=1, classes=['gem', 'sky'])
    named(hook, 'sky', 'ground', 'gem')
    sources = {'teachers.0': source([0, 1, 2, 2], [0, 1, 1, 2])}
    units = [rectifier((0, 0), (3, 4), (6, 8))]
    made = record(sources, masks=(0, 1, 2, 2))
    found = look(hook, made, rectifiers=units)
    singles = {key: value for key, value in found.items() if '.g' in key}
    assert singles == pytest.approx(
        {
            'teachers.0/share.gem': 1 / 4,
            'teachers.0/IoU.gem': 1 / 2,
            'teachers.0/IoU_raw.gem': 1.0,
        }
    )
    assert found['teachers.0/IoU.sky'] == 1.0


def test_a_class_that_nobody_names_has_no_iou(look):
    hook = PseudoLabelMonitorHook(interval=1, classes=['gem'])
    named(hook, 'sky', 'ground', 'gem')
    found = look(
        hook, record({'teachers.0': source([0, 1])}, (0, 2), (1, 1), (0, 1))
    )
    assert found['teachers.0/share.gem'] == 0
    assert 'teachers.0/IoU.gem' not in found


def test_a_data_set_that_tells_nothing():
    loader = SimpleNamespace(dataset=[])
    loop = SimpleNamespace(dataloader=loader)
    hook = PseudoLabelMonitorHook()
    hook.before_train(SimpleNamespace(train_loop=loop))
    assert hook.names == []


def test_classes_that_are_not_of_the_data():
    with pytest.raises(ValueError, match="classes must be a list.*'gem'"):
        PseudoLabelMonitorHook(classes='gem')
    hook = PseudoLabelMonitorHook(classes=['gems'])
    with pytest.raises(ValueError, match="classes='gems' is unknown.*'gem'"):
        named(hook, 'sky', 'gem')


def test_the_log_names_starved_classes_when_they_become_others(
    look, monkeypatch
):
    lines = []
    monkeypatch.setattr(
        'rml_mmseg.engine.hooks.pseudo_label_monitor_hook.print_log',
        lambda line, logger: lines.append(line),
    )
    hook = named(
        PseudoLabelMonitorHook(interval=1, window=2), 'sky', 'ground', 'gem'
    )
    lost = record({'teachers.0': source([0, 0, 1, 1])})
    both = record({'teachers.0': source([0, 2, 1, 1])})
    gem = 'gem (0.00% of them, 25.00% of the labels)'
    said = f'pseudo labels of teachers.0: starved classes: {gem}'
    # There is no message before the window is full.
    look(hook, lost)
    assert lines == []
    look(hook, lost)
    assert lines == [said]
    look(hook, lost)
    assert lines == [said]
    look(hook, both)
    assert lines == [
        said,
        'pseudo labels of teachers.0: starved classes: none',
    ]


def test_scores_and_frequencies_are_of_the_last_looks(look):
    hook = PseudoLabelMonitorHook(interval=1, window=2)
    found = {}
    for labels in ([0, 0], [0, 1], [1, 1]):
        made = record(
            {'teachers.0': source(labels)},
            labelled=(0, 0),
            valid=(1, 1),
            masks=(0, 0),
        )
        found = look(hook, made)
    assert found['teachers.0/accuracy'] == 1 / 4
    # Over classes 0, one hit of four, and 1, none.
    assert found['teachers.0/mIoU'] == pytest.approx(1 / 8)
    assert found['teachers.0/prior_gap'] == pytest.approx(3 / 4)


def test_masks_without_any_truth_give_no_score(look):
    made = record(
        {'teachers.0': source([0, 1])}, valid=(1, 1), masks=(255, 255)
    )
    found = look(PseudoLabelMonitorHook(interval=1), made)
    assert not any('IoU' in key or 'accuracy' in key for key in found)


def test_pixels_that_a_rectifier_ignores_are_not_scored(look):
    teacher = source([0, 1, 1, 2], labels=[0, 255, 2, 255])
    made = record({'teachers.0': teacher}, masks=[0, 1, 1, 2])
    scalars = look(PseudoLabelMonitorHook(1), made, rectifiers=[nn.Identity()])
    assert scalars['teachers.0/accuracy'] == 0.5
    assert scalars['teachers.0/mIoU'] == pytest.approx(1 / 3)
    assert scalars['teachers.0/changed'] == 0.25
    assert not any('prototype' in name for name in scalars)


def test_prototypes_that_are_not_there_yet(look):
    hook, none = PseudoLabelMonitorHook(interval=1), float('nan')
    made = record({'teachers.0': source([0, 1])}, valid=(1, 1))
    empty = rectifier(*[(none, none)] * 3)
    for _ in range(2):
        found = look(hook, made, rectifiers=[empty])
        assert 'teachers.0/prototype_drift' not in found
        assert 'teachers.0/nearest_prototypes' not in found


def test_drift_is_since_the_last_look(look):
    hook = PseudoLabelMonitorHook(interval=1)
    made = record({'teachers.0': source([0, 1])}, valid=(1, 1))
    unit = rectifier((0, 0), (10, 0), (0, 10))
    assert 'teachers.0/prototype_drift' not in look(
        hook, made, rectifiers=[unit]
    )
    unit.prototypes[0] += torch.tensor([3.0, 4.0])
    found = look(hook, made, rectifiers=[unit])
    assert found['teachers.0/prototype_drift'] == pytest.approx(5 / 3)


def test_only_one_iteration_in_an_interval_is_looked_at(look):
    hook = PseudoLabelMonitorHook(interval=3)
    made = record({'teachers.0': source([0, 1])}, valid=(1, 1))
    seen = [bool(look(hook, made, iteration=i)) for i in range(7)]
    assert seen == [False, False, True, False, False, True, False]


@pytest.mark.parametrize('setting', ['interval', 'window'])
def test_settings_below_one(setting):
    with pytest.raises(
        ValueError, match=f'{setting} must be .* 1 or more, got 0'
    ):
        PseudoLabelMonitorHook(**{setting: 0})


def weights(runner):
    """State of the model and the random generator at a run's end."""
    state = dict(runner.model.state_dict())
    state['random'] = torch.get_rng_state()
    return state


@pytest.mark.parametrize('rectified', [True, False])
def test_monitoring_with_masks_changes_no_weight(tmp_path, rectified):
    ema = dict(type='MutualEMAHook', momentum=0.9)
    watching = [
        dict(type='PseudoLabelMonitorHook', interval=1),
        dict(type='SemiSegVisualizationHook', interval=2),
    ]
    ends = []
    for hooks, masks in (([], False), (watching, True)):
        runner = toy_runner(
            tmp_path,
            masks=masks,
            model=toy_model_cfg(rectifier=rectified),
            custom_hooks=[ema, *hooks],
            work_dir=str(tmp_path / f'work_{masks}'),
            visualizer=dict(
                type='SegLocalVisualizer',
                vis_backends=[dict(type='LocalVisBackend')],
                name=f'toy_{next(RUNS)}',
            ),
        )
        runner.train()
        ends.append(weights(runner))
    watched = runner.message_hub.log_scalars
    assert 'train/monitor/teachers.1/mIoU' in watched
    assert list(tmp_path.rglob('panels_0_4.png'))
    plain, watching_end = ends
    assert plain.keys() == watching_end.keys()
    for key, value in plain.items():
        assert torch.equal(value, watching_end[key]), key


def test_prior_is_that_of_all_labelled_images_seen(look):
    hook = PseudoLabelMonitorHook(interval=1)
    for labelled in ((0, 0), (1, 1)):
        made = record(
            {'teachers.0': source([0, 1])}, labelled=labelled, valid=(1, 1)
        )
        found = look(hook, made)
    # Both classes have a half, there and here.
    assert found['teachers.0/prior_gap'] == pytest.approx(0.0)


def test_drift_is_the_mean_over_prototypes_that_are_there(look):
    hook = PseudoLabelMonitorHook(interval=1)
    made = record({'teachers.0': source([0, 1])}, valid=(1, 1))
    unit = rectifier((0, 0), (3, 4), (0, 0))
    unit.counts[2] = 0
    look(hook, made, rectifiers=[unit])
    unit.prototypes[:2] += torch.tensor([0.0, 2.0])
    found = look(hook, made, rectifiers=[unit])
    assert found['teachers.0/prototype_drift'] == pytest.approx(2.0)
