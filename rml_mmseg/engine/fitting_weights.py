"""Checks of weights that a network is tested with, or trained from."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from rml_mmseg.models.segmentors.learners_segmentor import LearnersSegmentor
from rml_mmseg.models.utils.learner_names import ENSEMBLE
from rml_mmseg.models.utils.plain_checkpoint import GROUPS, below, mismatches

from .whole_checkpoint import CheckpointError, check_shapes


def check_weights(
    found: Mapping[str, Any], model: nn.Module, tested: bool
) -> None:
    """Make sure that weights are not those of another model.

    Args:
        found (Mapping): A checkpoint, or a bare state dict.
        model (nn.Module): Model that they are loaded into, unwrapped.
        tested (bool): True to test the model, False to train from them.

    Raises:
        CheckpointError: If none of them belongs to the model. For testing,
            also if a tensor has another shape, or if a learner that predicts
            lacks some.
    """
    found = found.get('state_dict', found)
    # As mmengine does for weights saved from DDP.
    found = {key.removeprefix('module.'): found[key] for key in found}
    wanted = model.state_dict()
    # MutualSemiSegmentor also takes those of single networks, and checks them.
    several = isinstance(model, LearnersSegmentor)
    if not several and not found.keys() & wanted.keys():
        raise CheckpointError(_of_another_model(found, next(iter(wanted), '')))
    if tested:
        check_shapes(found, wanted)
    if tested and several:
        _check_learners(found, model)


def _of_another_model(found: Mapping[str, Any], wanted: str) -> str:
    learners = {
        '.'.join(key.split('.')[:2])
        for key in found
        if key.startswith(('students.', 'teachers.'))
    }
    if learners:
        return (
            f'it holds the learners {sorted(learners)}, but the model is a '
            'single network: export one of them as a plain checkpoint, '
            'tools/model_converters/export_segmentor.py CONFIG CHECKPOINT '
            '--learner NAME'
        )
    return (
        'it is of another model: none of its tensors, such as '
        f'{next(iter(found), "none")!r}, is in the model, whose tensors have '
        f'names such as {wanted!r}'
    )


def _check_learners(found: Mapping[str, Any], model: Any) -> None:
    """Refuse learners that would predict with random weights."""
    plain = not any(key.startswith(GROUPS) for key in found)
    names = {model.predict_on, *model.score}
    if ENSEMBLE in names:
        teachers = {f'teachers.{i}' for i in range(len(model.teachers))}
        names = names - {ENSEMBLE} | teachers
    for name in sorted(names):
        own = below(found, '' if plain else f'{name}.')
        backbone, others = mismatches(own, model.learner(name))
        lacking = backbone + [
            key for key in others if not key.startswith('auxiliary_head.')
        ]
        if lacking:
            raise CheckpointError(
                f'it lacks {len(lacking)} tensors of {name}, such as '
                f'{lacking[0]!r}, which would predict with random weights: '
                'set model.test_cfg.predict_on and score, and learners of the '
                'evaluator, to learners that it has'
            )
