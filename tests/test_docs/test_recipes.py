"""The configs of docs/recipes.md: names, settings, and whether they build."""

import ast
import inspect
import os.path as osp
import re
from pathlib import Path

import mmseg
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.runner.loops import IterBasedTrainLoop
from mmseg.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    TASK_UTILS,
    TRANSFORMS,
)
from torch import nn

import rml_mmseg  # noqa: F401
from rml_mmseg.engine.checks.config import check_config
from rml_mmseg.models.utils.semi_train_cfg import SemiTrainCfg

ROOT = Path(__file__).resolve().parents[2]
STOCK = Path(mmseg.__file__).parent / '.mim' / 'configs'
DOCUMENT = ROOT / 'docs' / 'recipes.md'
REGISTRIES = (
    MODELS,
    TRANSFORMS,
    DATASETS,
    DATA_SAMPLERS,
    HOOKS,
    LOOPS,
    METRICS,
    OPTIM_WRAPPERS,
    TASK_UTILS,
)
# Keys that mmengine reads, not a class.
EVERYWHERE = {'type', '_delete_', 'init_cfg', '_scope_'}
# Types that are not registered classes.
WEIGHTS = {'Pretrained', 'GN', 'BN'}
# Dicts without a type are merged into those of these classes.
UNTYPED = {
    'semi_train_cfg': 'SemiTrainCfg',
    'rectifier': 'PrototypeRectifier',
    'train_cfg': 'StagedTrainLoop',
    'model': 'MutualSemiSegmentor',
    'dataset': 'SemiSegDataset',
    'unlabelled': 'UnlabelledSegDataset',
    'val_evaluator': 'LearnersIoUMetric',
    'test_evaluator': 'LearnersIoUMetric',
}
OWN = 'rml_mmseg'


def blocks():
    """Code of every block that is marked as Python."""
    found = re.findall(r'```python\n(.*?)```', DOCUMENT.read_text(), re.S)
    assert len(found) >= 15
    return found


def whole():
    """The blocks that are whole configs."""
    found = [block for block in blocks() if block.startswith('_base_')]
    assert len(found) >= 14
    return found


def registered(name):
    """The class of a name, or None."""
    found = [registry.get(name) for registry in REGISTRIES]
    return next((kind for kind in found if kind is not None), None)


def settings_of(kind):
    """Names that the constructors of a class and its bases take."""
    if kind is SemiTrainCfg:
        return set(inspect.signature(kind).parameters)
    names = set()
    for base in kind.__mro__:
        if '__init__' in vars(base):
            signature = inspect.signature(base.__init__)
            names |= set(signature.parameters)
            kinds = {p.kind for p in signature.parameters.values()}
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                break
    if kind.__name__ == 'SemiSegDataPreProcessor':
        names |= settings_of(MODELS.get('SegDataPreProcessor'))
    if kind.__name__ == 'LearnersIoUMetric':
        names |= settings_of(METRICS.get('ClassIoUMetric'))
    return names


def typed_dicts(code):
    """Every `dict(...)` of a block: its name, its type and its keywords."""
    names = {}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.keyword):
            names[node.value] = node.arg
        if isinstance(node, ast.Assign):
            names[node.value] = node.targets[0].id
        if not (isinstance(node, ast.Call) and node.func.id == 'dict'):
            continue
        values = {k.arg: k.value for k in node.keywords if k.arg}
        kind = values.get('type')
        constant = isinstance(kind, ast.Constant)
        yield (
            names.get(node),
            kind.value if constant else None,
            set(values),
            bool(node.args),
        )


def problems(code):
    """What is wrong with the names in a block."""
    init_default_scope('mmseg')
    found = []
    stock = code.startswith("_base_ = 'mmseg::")
    for name, kind, settings, is_copy in typed_dicts(code):
        if kind is None:
            kind = None if is_copy or stock else UNTYPED.get(name)
        if kind is None or kind in WEIGHTS:
            continue
        built = SemiTrainCfg if kind == 'SemiTrainCfg' else registered(kind)
        if built is None:
            found.append(f'{kind} is in no registry')
        elif built.__module__.startswith(OWN):
            wrong = settings - settings_of(built) - EVERYWHERE
            found += [f'{kind} has no setting {item}' for item in wrong]
    return found


def load(code, folder):
    """A whole config, its base looked up where it lies."""
    base = re.match(r"_base_ = '(.*)'", code)[1]
    path = ROOT / 'configs' / 'rml' / base
    if base.startswith('mmseg::'):
        path = STOCK / base.removeprefix('mmseg::')
    assert path.is_file(), path
    file = folder / 'recipe.py'
    file.write_text(code.replace(f"'{base}'", repr(osp.normpath(path)), 1))
    return Config.fromfile(file)


@pytest.mark.parametrize('code', blocks())
def test_names_and_settings_are_those_of_the_code(code):
    assert problems(code) == []


@pytest.mark.parametrize(
    'code, expected',
    [
        ("x = dict(type='CutMixx')", ['CutMixx is in no registry']),
        (
            "x = dict(type='CutMix', share=1)",
            ['CutMix has no setting share'],
        ),
        (
            'model = dict(semi_train_cfg=dict(certainty=1))',
            ['SemiTrainCfg has no setting certainty'],
        ),
        (
            "x = dict(type='LearnersIoUMetric', learnrs=[])",
            ['LearnersIoUMetric has no setting learnrs'],
        ),
    ],
)
def test_a_wrong_name_is_found(code, expected):
    assert problems(code) == expected


def test_every_part_has_a_recipe():
    kinds = {kind for code in blocks() for _, kind, _, _ in typed_dicts(code)}
    assert kinds >= {
        'CutMix',
        'PhotometricRandAugment',
        'WeakStrongViews',
        'PrototypeRectifier',
        'DeepLabV2Head',
        'PseudoLabelMonitorHook',
        'SemiSegVisualizationHook',
        'ImageScoresHook',
        'MutualEMAHook',
        'StagedTrainLoop',
    }


@pytest.mark.parametrize('code', whole())
def test_a_whole_config_builds(code, tmp_path, monkeypatch):
    # Weights are not looked at, and drawing them takes seconds.
    for name in ('kaiming_uniform_', 'kaiming_normal_', 'uniform_', 'normal_'):
        monkeypatch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)
    cfg = load(code, tmp_path)
    init_default_scope('mmseg')
    known = set(inspect.signature(Runner.__init__).parameters)
    changed = {
        target.id for node in ast.parse(code).body for target in node.targets
    }
    used = {
        n.id
        for n in ast.walk(ast.parse(code))
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }
    assert changed - used <= known | {
        '_base_',
        'custom_imports',
        'auto_scale_lr',
    }
    model = MODELS.build(cfg.model)
    assert model.num_classes in (11, 19, 21)
    if cfg.model.get('rectifier', {}) is None:
        # Labels made at a stage's start would never improve.
        assert model.semi_train_cfg.p0 == 'online'
    check_config(cfg)
    for hook in cfg.get('custom_hooks') or []:
        HOOKS.build(hook)
    for hook in cfg.default_hooks.values():
        assert HOOKS.get(hook.type) is not None
    assert issubclass(LOOPS.get(cfg.train_cfg.type), IterBasedTrainLoop)
    for pipeline in pipelines(cfg.train_dataloader):
        for step in pipeline:
            TRANSFORMS.build(step)


def pipelines(node):
    """Every pipeline below a piece of config."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key.endswith('pipeline'):
                yield value
            else:
                yield from pipelines(value)
