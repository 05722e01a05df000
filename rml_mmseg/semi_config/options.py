"""Translation of a pair's settings to the config of each method."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .methods import SUPERVISED

# Settings of the first learner, and where a plain network has them.
PLAIN = (
    ('model.segmentors.0.', 'model.'),
    ('optim_wrapper.students.0.', 'optim_wrapper.'),
    ('train_dataloader.dataset.labelled.', 'train_dataloader.dataset.'),
)
# Settings that a plain network does not have.
LEARNERS_OWN = (
    'model.rectifier',
    'model.segmentors',
    'model.semi_train_cfg',
    'model.test_cfg.predict_on',
    'model.test_cfg.score',
    'optim_wrapper.constructor',
    'optim_wrapper.students',
    'train_cfg.burn_in_iters',
    'train_cfg.stages',
    'train_dataloader.dataset.allow_overlap',
    'train_dataloader.dataset.image_pipeline',
    'train_dataloader.dataset.k',
    'train_dataloader.dataset.max_unreadable',
    'train_dataloader.dataset.unlabelled',
)
# The supervised network trains for the iterations of all stages in one.
LENGTHS = {
    'train_cfg.iters_per_stage': '--iters',
    'train_cfg.stages': '--stages',
}
NUMBERED = ('model.segmentors.', 'optim_wrapper.students.')


def fit_options(
    options: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Translate ``--cfg-options`` for each method.

    ``model.segmentors.0.`` becomes ``model.`` for the supervised network.
    Settings that a method does not have, such as those of a second network,
    are left out.

    Args:
        options (dict): Values by dotted setting, as for the config of a
            pair.
        configs (dict[str, dict]): Configs by the method's name.

    Returns:
        tuple: Options by the method's name, and notes on what is left out.

    Raises:
        ValueError: If an option fits none of the methods, or would let them
            train for different lengths.
    """
    fitted: dict[str, dict[str, Any]] = {name: {} for name in configs}
    notes = []
    for key, value in options.items():
        if key in LENGTHS and SUPERVISED in configs and len(configs) > 1:
            raise ValueError(
                f'--cfg-options sets {key!r}. Use {LENGTHS[key]} instead, '
                'so that all methods train for as many iterations'
            )
        without = []
        for name, config in configs.items():
            own = _fit(key, name, config)
            if own is None:
                without.append(name)
            else:
                fitted[name][own] = value
        if len(without) == len(configs):
            raise ValueError(
                f'--cfg-options sets {key!r}, which the config of '
                f'{_among(without)} does not have. Leave it out'
            )
        if without:
            notes.append(
                f'{key} is left out of {_among(without)}, which '
                f'{"has" if len(without) == 1 else "have"} no such setting'
            )
    return fitted, notes


def _among(names: Sequence[str]) -> str:
    return ', '.join(names)


def _fit(key: str, name: str, config: Mapping[str, Any]) -> Optional[str]:
    """The setting in the config of a method; None if it has none."""
    if name == SUPERVISED:
        for begin, plain in PLAIN:
            if key.startswith(begin):
                return plain + key.removeprefix(begin)
        own = any(f'{key}.'.startswith(f'{part}.') for part in LEARNERS_OWN)
        return None if own else key
    if key.startswith('model.rectifier.') and not config['model']['rectifier']:
        return None
    for begin in NUMBERED:
        number = key.removeprefix(begin).split('.')[0]
        if key.startswith(begin) and number.isdecimal():
            learners = len(config['model']['segmentors'])
            return key if int(number) < learners else None
    return key
