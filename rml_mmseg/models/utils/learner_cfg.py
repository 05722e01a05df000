"""Configs of the wrapper and of its learners."""

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Union

import numpy as np
from mmengine.config import ConfigDict
from mmseg.registry import MODELS

from rml_mmseg.setting_checks import check_choice

LOADED_ONCE = ('pretrained', 'init_cfg')
WRAPPER = 'MutualSemiSegmentor'
NORMALISATION = ('mean', 'std', 'bgr_to_rgb', 'rgb_to_bgr')


def is_semi(model: Any) -> bool:
    """Whether a config is of a ``MutualSemiSegmentor`` or a subclass.

    A subclass is recognised by its ``segmentors`` or, if it is registered,
    by its class.

    Args:
        model (dict): ``model`` of a config.
    """
    if not isinstance(model, Mapping):
        return False
    if 'segmentors' in model:
        return True
    kind = model.get('type')
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    parents = found.__mro__ if inspect.isclass(found) else ()
    return WRAPPER in [parent.__name__ for parent in parents]


def segmentor_cfgs(
    segmentors: Union[Mapping, Sequence[Mapping]],
) -> Sequence[Mapping]:
    """Entries of ``model.segmentors``, which may be a single one."""
    return [segmentors] if isinstance(segmentors, Mapping) else segmentors


def check_normalisation(segmentors: Sequence[Mapping], common: Any) -> None:
    """Refuse learners with a normalisation other than the wrapper's.

    Args:
        segmentors (list[dict]): ``model.segmentors``.
        common (dict | nn.Module, optional): ``model.data_preprocessor``; a
            built one is not checked.

    Raises:
        ValueError: If the ``data_preprocessor`` of an entry normalises
            differently.
    """
    if not isinstance(common, (Mapping, type(None))):
        return
    shared = common or {}
    for i, cfg in enumerate(segmentors):
        own = cfg.get('data_preprocessor') or {}
        for key in NORMALISATION:
            if key in own and not _same(own[key], shared.get(key)):
                raise ValueError(
                    'all learners see the same images, from '
                    f'model.data_preprocessor with {key}={shared.get(key)}, '
                    f'so model.segmentors[{i}].data_preprocessor.{key}='
                    f'{own[key]} would be ignored: set one for all, and '
                    'remove it from the entry'
                )


def _same(found: Any, wanted: Any) -> bool:
    if not (found and wanted):
        return not (found or wanted)
    return np.allclose(found, wanted)


def learner_cfg(cfg: Mapping, test_cfg: Mapping) -> dict[str, Any]:
    """Config of one learner, to be built as a stock segmentor.

    Args:
        cfg (dict): An entry of ``model.segmentors``.
        test_cfg (dict): Stock settings of ``model.test_cfg``, which override
            the entry's own.

    Returns:
        dict: A copy without preprocessor and with the merged ``test_cfg``.

    Raises:
        ValueError: If ``test_cfg.mode`` is unknown or its settings are
            missing or wrong.
    """
    single = copy.deepcopy(dict(cfg))
    single.pop('data_preprocessor', None)
    merged = {**(single.get('test_cfg') or {}), **test_cfg}
    merged = {'mode': 'whole', **merged}
    check_choice('model.test_cfg.mode', merged['mode'], ['whole', 'slide'])
    if merged['mode'] == 'slide':
        _check_windows(merged)
    single['test_cfg'] = ConfigDict(merged)
    return single


def _check_windows(test_cfg: Mapping) -> None:
    """Refuse sliding windows without a size or with gaps between them."""
    window, stride = test_cfg.get('crop_size'), test_cfg.get('stride')
    if not (window and stride):
        found = dict(crop_size=window, stride=stride)
        lacking = [key for key, value in found.items() if not value]
        raise ValueError(
            "model.test_cfg.mode='slide' needs crop_size (height and width "
            'of a window) and stride (step between windows), but has no '
            f'{" and no ".join(lacking)}'
        )
    for key, pair in (('crop_size', window), ('stride', stride)):
        if not isinstance(pair, Sequence) or len(pair) != 2:
            raise ValueError(
                f'model.test_cfg.{key} must be a height and a width, got '
                f'{pair!r}'
            )
    if any(step > side for step, side in zip(stride, window)):
        raise ValueError(
            f'model.test_cfg.stride={tuple(stride)} is larger than '
            f'crop_size={tuple(window)}: pixels between windows would '
            'have no prediction. Make it crop_size or smaller'
        )


def without_weights(cfg: Any) -> Any:
    """Config without sources of pretrained weights, at any depth."""
    if isinstance(cfg, dict):
        return type(cfg)(
            {
                key: without_weights(value)
                for key, value in cfg.items()
                if key not in LOADED_ONCE
            }
        )
    if isinstance(cfg, (list, tuple)):
        return type(cfg)(without_weights(value) for value in cfg)
    return cfg
