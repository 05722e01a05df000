"""Export of a MutualSemiSegmentor's learner as a plain mmseg model."""

import copy
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Union

from mmengine.config import Config
from mmseg import registry
from mmseg.datasets import BaseSegDataset
from torch import Tensor

from rml_mmseg.setting_checks import check_choice

from .exported_imports import needed_imports, plugin_types
from .utils.learner_cfg import (
    is_semi,
    learner_cfg,
    segmentor_cfgs,
    without_weights,
)
from .utils.learner_names import ENSEMBLE, learner_names

KEPT = (
    'default_scope',
    'custom_imports',
    'data_root',
    'data_preparation',
    'val_dataloader',
    'val_cfg',
    'val_evaluator',
    'test_dataloader',
    'test_pipeline',
    'test_cfg',
    'test_evaluator',
    'tta_model',
    'tta_pipeline',
    'default_hooks',
    'visualizer',
    'env_cfg',
    'log_processor',
    'log_level',
    'randomness',
)
"""Settings of a config that testing needs; those of training are dropped."""


def check_learner(cfg: Config, learner: Union[str, None]) -> str:
    """Name of the learner to export, by default the deployed one.

    Args:
        cfg (Config): Config of a ``MutualSemiSegmentor``.
        learner (str, optional): ``'students.{i}'`` or ``'teachers.{i}'``;
            None for the deployed one.

    Returns:
        str: The learner's name.

    Raises:
        ValueError: If the model is not a ``MutualSemiSegmentor``, or the
            learner is not one of its networks.
    """
    model = cfg.get('model', {})
    if not is_semi(model):
        raise ValueError(
            'model.type must be MutualSemiSegmentor or a subclass, found '
            f'{model.get("type")!r}: a plain model needs no export'
        )
    count = len(segmentor_cfgs(model.segmentors))
    names = [name for name in learner_names(count) if name != ENSEMBLE]
    if learner is None:
        test_cfg = model.get('test_cfg') or {}
        learner = test_cfg.get('predict_on', 'teachers.0')
    if learner == ENSEMBLE:
        raise ValueError(
            'the ensemble cannot be exported, as it is several networks: '
            f'choose --learner from {names}'
        )
    check_choice('--learner', learner, names)
    return str(learner)


def export_config(cfg: Config, learner: str) -> Config:
    """Build a config with which stock mmseg tests one learner.

    Args:
        cfg (Config): Config of a ``MutualSemiSegmentor``.
        learner (str): As returned by ``check_learner``.

    Returns:
        Config: Without training settings, and without this package unless
        the exported config still uses its classes.

    Raises:
        ValueError: If a data set of this package has no stock counterpart.
    """
    plain = {
        key: copy.deepcopy(cfg[key])
        for key in KEPT
        if cfg.get(key) is not None
    }
    for part in ('val', 'test'):
        loader = plain.get(f'{part}_dataloader')
        if loader is not None:
            loader['dataset'] = plain_dataset(loader['dataset'])
        if plain.get(f'{part}_evaluator') is not None:
            key = f'{part}_evaluator'
            plain[key] = plain_evaluator(plain[key])
        if plugin_types(plain.get(f'{part}_cfg')):
            plain[f'{part}_cfg'] = dict(type=f'{part.capitalize()}Loop')
    hooks = plain.get('default_hooks', {})
    for name in [name for name in hooks if plugin_types(hooks[name])]:
        del hooks[name]
    if 'test_pipeline' not in plain:
        # Read by `inference_model`, not by the Runner.
        dataset = plain.get('test_dataloader', {}).get('dataset', {})
        if isinstance(dataset, Mapping) and 'pipeline' in dataset:
            plain['test_pipeline'] = copy.deepcopy(dataset['pipeline'])
    plain['model'] = plain_model(cfg.model, learner)
    plain['load_from'] = None
    plain['resume'] = False
    plain.pop('custom_imports', None)
    imports = needed_imports(cfg, plain)
    if imports:
        plain['custom_imports'] = dict(
            imports=imports, allow_failed_imports=False
        )
    return Config(plain)


def plain_model(model: Mapping, learner: str) -> dict[str, Any]:
    """Config of a learner, with the wrapper's preprocessor and test_cfg."""
    segmentors = segmentor_cfgs(model['segmentors'])
    test_cfg = dict(model.get('test_cfg') or {})
    for key in ('predict_on', 'score'):
        test_cfg.pop(key, None)
    index = int(learner.split('.')[1])
    single = without_weights(learner_cfg(segmentors[index], test_cfg))
    preprocessor = dict(copy.deepcopy(model.get('data_preprocessor') or {}))
    if plugin_types(preprocessor):
        preprocessor['type'] = 'SegDataPreProcessor'
        preprocessor.pop('non_blocking', None)
        if preprocessor.get('size') is None:
            preprocessor.setdefault('size_divisor', 1)
    return dict(
        type=single.pop('type'), data_preprocessor=preprocessor, **single
    )


def plain_dataset(dataset: Any) -> Any:
    """Replace this package's data sets by ``BaseSegDataset`` in a config.

    Args:
        dataset (dict | list): Config of a data set, or a list of configs.

    Raises:
        ValueError: If a data set does not inherit from ``BaseSegDataset``
            or has no masks.
    """
    if isinstance(dataset, (list, tuple)):
        return [plain_dataset(item) for item in dataset]
    if not isinstance(dataset, MutableMapping):
        return dataset
    for key in ('dataset', 'datasets'):
        if key in dataset:
            dataset[key] = plain_dataset(dataset[key])
    if not plugin_types(dict(type=dataset.get('type'))):
        return dataset
    built = registry.DATASETS.build(
        dict(copy.deepcopy(dict(dataset)), lazy_init=True)
    )
    kind = type(built)
    inherited = (
        isinstance(built, BaseSegDataset)
        and kind.__name__ != 'UnlabelledSegDataset'
    )
    if not inherited:
        raise ValueError(
            f'{kind.__name__} cannot be tested by stock mmseg: set '
            'val_dataloader.dataset and test_dataloader.dataset to a data '
            'set with masks'
        )
    settings = dict(
        metainfo=dict(
            classes=list(built.metainfo['classes']),
            palette=[list(c) for c in built.metainfo.get('palette') or []],
        ),
        img_suffix=built.img_suffix,
        seg_map_suffix=built.seg_map_suffix,
        reduce_zero_label=built.reduce_zero_label,
    )
    return {**dataset, **settings, 'type': 'BaseSegDataset'}


def plain_evaluator(evaluator: Union[Mapping, Sequence]) -> Any:
    """Replace this package's metric by ``IoUMetric`` in a config."""
    if isinstance(evaluator, (list, tuple)):
        return [plain_evaluator(item) for item in evaluator]
    evaluator = dict(evaluator)
    if plugin_types(dict(type=evaluator.get('type'))):
        evaluator['type'] = 'IoUMetric'
        evaluator.pop('learners', None)
    return evaluator


def learner_state(
    state_dict: Mapping[str, Tensor], learner: str
) -> dict[str, Tensor]:
    """Extract one learner's tensors under the keys of a plain segmentor.

    Args:
        state_dict (dict): State of a ``MutualSemiSegmentor``.
        learner (str): As returned by ``check_learner``.

    Returns:
        dict[str, Tensor]: Copies on the CPU.

    Raises:
        ValueError: If the state has no tensors of the learner.
    """
    prefix = f'{learner}.'
    state = {
        key[len(prefix) :]: value.detach().cpu().clone()
        for key, value in (
            (key.removeprefix('module.'), value)
            for key, value in state_dict.items()
        )
        if key.startswith(prefix)
    }
    if not state:
        groups = sorted({'.'.join(key.split('.')[:2]) for key in state_dict})
        raise ValueError(
            f'the checkpoint has no {learner!r}; its tensors begin with '
            f'{groups[:8]}'
        )
    return state
