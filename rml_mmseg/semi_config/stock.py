"""Finding and reading stock configs of mmseg."""

import difflib
import re
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config

from rml_mmseg.engine.checks.registered import type_name
from rml_mmseg.engine.config_files import read_config
from rml_mmseg.models.utils.learner_cfg import NORMALISATION

HEADS = ('decode_head', 'auxiliary_head')


def stock_folder() -> Path:
    """The folder of the configs that mmseg ships, which may be missing."""
    spec = find_spec('mmseg')
    origin = spec.origin if spec is not None else None
    return Path(origin or '.').parent / '.mim' / 'configs'


def load_stock(name: str) -> Config:
    """Read a stock config.

    Args:
        name (str): A file, or the name of a config of mmseg, such as
            ``'pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py'``,
            with or without the folder and the suffix.

    Raises:
        FileNotFoundError: If there is no such config; lists similar names.
        ValueError: If it cannot be read, trains no segmentor by iterations,
            or needs a package that is not installed.
    """
    path = Path(name)
    if not path.is_file():
        wanted = path.with_name(f'{path.name.removesuffix(".py")}.py').name
        shipped = {p.name: p for p in stock_folder().glob('*/*.py')}
        if wanted not in shipped:
            near = _near_names(wanted, shipped)
            raise FileNotFoundError(
                f'{name} is neither a file nor a config of mmseg in '
                f'{stock_folder()}. Similar names there: {near}'
            )
        path = shipped[wanted]
    cfg = read_config(path)
    check_stock(cfg, str(path))
    return cfg


def _near_names(wanted: str, known: Iterable[str], count: int = 5) -> list:
    """Known names that share the most words with one, most similar first."""
    words = set(re.split(r'[-_.]', wanted))

    def distance(name: str) -> tuple[int, float]:
        shared = len(words & set(re.split(r'[-_.]', name)))
        alike = difflib.SequenceMatcher(None, wanted, name).ratio()
        return -shared, -alike

    return sorted(known, key=distance)[:count]


def check_stock(cfg: Config, name: str) -> None:
    """Refuse a config that cannot become a learner.

    Args:
        cfg (Config): The config.
        name (str): Its name, for messages.

    Raises:
        ValueError: If a setting prevents it.
    """
    for key in ('model', 'train_dataloader', 'optim_wrapper', 'train_cfg'):
        if not cfg.get(key):
            raise ValueError(f'{name} has no {key!r}: it trains nothing')
    model = cfg.model
    if 'decode_head' not in model or 'segmentors' in model:
        raise ValueError(
            f'{name}: model.type={model.get("type")!r} is not a single '
            'segmentor with a decode_head'
        )
    missing = missing_packages(model)
    if missing:
        raise ValueError(
            f'{name}: the model uses {", ".join(missing)}, '
            'which is not installed'
        )
    loop = cfg.train_cfg
    if type_name(loop) == 'EpochBasedTrainLoop' or loop.get('by_epoch'):
        raise ValueError(
            f'{name} trains by epochs (train_cfg={dict(loop)}), but a pair '
            'of data sets has none. Set train_cfg=dict('
            "type='IterBasedTrainLoop', max_iters=...) and by_epoch=False in "
            'the schedulers'
        )
    if training_length(cfg) is None:
        raise ValueError(
            f'{name}: train_cfg has neither max_iters nor iters_per_stage: '
            f'{dict(loop)}'
        )
    for scheduler in cfg.get('param_scheduler') or ():
        if not isinstance(scheduler, dict) or scheduler.get('by_epoch', True):
            raise ValueError(
                f'{name}: param_scheduler must be a list of schedulers with '
                f'by_epoch=False, but holds {scheduler}'
            )


def training_length(cfg: Config) -> Optional[int]:
    """Iterations that a config's schedule is for; None if it has none."""
    loop = cfg.train_cfg
    return loop.get('max_iters', loop.get('iters_per_stage'))


def missing_packages(model: Any) -> set[str]:
    """Packages that a model's types name as scope and that are not installed.

    Args:
        model (dict): Config of a segmentor.
    """
    found: set[str] = set()
    for node in _dicts(model):
        kind = node.get('type')
        if isinstance(kind, str) and '.' in kind:
            scope = kind.split('.')[0]
            if find_spec(scope) is None:
                found.add(scope)
    return found


def last_head(segmentor: Any) -> Any:
    """Config of the head whose logits are the segmentor's prediction."""
    heads = segmentor['decode_head']
    return heads[-1] if isinstance(heads, (list, tuple)) else heads


def classes_of(segmentor: Any) -> int:
    """Number of classes K of a segmentor's last head; 0 if it tells none."""
    last = last_head(segmentor)
    numbers = (node.get('num_classes') for node in _dicts(last))
    return next((int(number) for number in numbers if number), 0)


def set_classes(segmentor: Any, count: int) -> list[str]:
    """Set the number of classes of a segmentor's heads, in place.

    Heads with another number than the last one's, such as edge heads, stay as
    they are. Class weights for the previous classes are removed or reset.

    Args:
        segmentor (dict): Config of a segmentor.
        count (int): Number of classes K.

    Returns:
        list[str]: What was changed.
    """
    had = classes_of(segmentor)
    if had == count:
        return []
    notes = [f'heads predict {count} classes instead of {had}']
    weighed = False
    for node in [n for key in HEADS for n in _dicts(segmentor.get(key))]:
        if node.get('num_classes') == had:
            node['num_classes'] = count
        weights = node.get('class_weight')
        if not isinstance(weights, (list, tuple)):
            continue
        if len(weights) == had:
            del node['class_weight']
        elif len(weights) == had + 1:
            # Of mask classification: the last weight is that of no class.
            node['class_weight'] = [1.0] * count + [weights[-1]]
        else:
            continue
        weighed = weighed or any(weight != 1 for weight in weights[:had])
    if weighed:
        notes.append(f'class_weight of {had} classes is left out')
    return notes


def _dicts(node: Any) -> Iterator[Any]:
    """All dicts of a part of a config, the outer ones first."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _dicts(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _dicts(value)


def normalisation(cfg: Config) -> dict[str, Any]:
    """How a stock config normalises images."""
    preprocessor = cfg.model.get('data_preprocessor') or {}
    found = {key: preprocessor.get(key) for key in NORMALISATION}
    return {key: value for key, value in found.items() if value}
