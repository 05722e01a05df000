"""Weights of another model are refused, where nothing else would tell."""

import pytest
import torch
from torch import nn

from rml_mmseg.engine.fitting_weights import check_weights
from rml_mmseg.engine.whole_checkpoint import CheckpointError
from tests.toys import toy_mutual, toy_runner, toy_segmentor, val_settings

NETWORK = nn.Linear(2, 3)
STATE = NETWORK.state_dict()


def only(model, *prefixes):
    state = model.state_dict()
    return {key: state[key] for key in state if key.startswith(prefixes)}


@pytest.mark.parametrize('tested', [False, True])
def test_weights_of_the_model(tested):
    for found in (dict(state_dict=STATE), STATE):
        check_weights(found, NETWORK, tested)
    check_weights({f'module.{k}': STATE[k] for k in STATE}, NETWORK, tested)
    # Keys that only one side has are left to the loader, which warns.
    check_weights(dict(bias=torch.ones(3), more=0), NETWORK, tested)


def test_another_shape():
    found = dict(STATE, bias=torch.ones(2))
    check_weights(found, NETWORK, False)
    with pytest.raises(CheckpointError, match=r"'bias' has the shape \(2,"):
        check_weights(found, NETWORK, True)


@pytest.mark.parametrize('tested', [False, True])
@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('conv1.bias', "such as 'conv1.bias', .* such as 'weight'"),
        ('teachers.0.bias', 'export_segmentor.py .*--learner NAME'),
    ],
)
def test_no_name_is_shared(name, message, tested):
    with pytest.raises(CheckpointError, match=message):
        check_weights({name: torch.ones(3)}, NETWORK, tested)


@pytest.mark.parametrize(
    ('test_cfg', 'lacking'),
    [
        (dict(predict_on='students.1'), None),
        (dict(predict_on='students.0', score=['students.1']), None),
        (dict(predict_on='teachers.0'), 'teachers.0'),
        (dict(predict_on='students.0', score=['teachers.1']), 'teachers.1'),
        (dict(predict_on='ensemble'), 'teachers.0'),
    ],
)
def test_a_checkpoint_of_students_alone(test_cfg, lacking):
    model = toy_mutual(test_cfg=test_cfg)
    found = only(model, 'students.')
    check_weights(found, model, False)
    if lacking is None:
        check_weights(found, model, True)
    else:
        with pytest.raises(CheckpointError, match=f'of {lacking}, such as'):
            check_weights(found, model, True)


@pytest.mark.parametrize(
    ('network', 'score', 'lacking'),
    [
        (0, ['students.0'], None),
        (0, ['teachers.1'], 'teachers.1'),
        (0, ['ensemble'], 'teachers.1'),
        (1, [], 'teachers.0'),
    ],
)
def test_a_single_network_is_tested_as_what_it_fits(network, score, lacking):
    segmentors = [toy_segmentor(), toy_segmentor(kernel_size=3)]
    model = toy_mutual(segmentors=segmentors, test_cfg=dict(score=score))
    found = model.students[network].state_dict()
    if lacking is None:
        check_weights(found, model, True)
    else:
        with pytest.raises(CheckpointError, match=f'of {lacking}, such as'):
            check_weights(found, model, True)


@pytest.mark.parametrize('tested', [False, True])
def test_a_run_refuses_them(tmp_path, tested):
    path = tmp_path / 'learners.pth'
    torch.save(toy_mutual().state_dict(), path)
    runner = toy_runner(
        tmp_path,
        model=toy_segmentor(),
        custom_hooks=[],
        load_from=str(path),
        default_hooks=dict(
            checkpoint=dict(type='AtomicCheckpointHook', by_epoch=False)
        ),
        **val_settings(tmp_path),
    )
    with pytest.raises(CheckpointError, match='learners.pth.*--learner'):
        if tested:
            runner.load_or_resume()
        else:
            runner._train_loop = runner.build_train_loop(runner._train_loop)
            runner.load_or_resume()
