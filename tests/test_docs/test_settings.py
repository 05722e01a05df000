"""The tables of docs/settings.md: every name and default of the classes."""

import ast
import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest
from mmengine.config import Config
from mmseg.registry import (
    DATASETS,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    TRANSFORMS,
)

from rml_mmseg.models.utils.semi_train_cfg import SemiTrainCfg

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / 'docs' / 'settings.md').read_text()
# Arguments that are not settings, or only accepted for stock tools.
NOT_SET = {
    *('self', 'runner', 'dataloader', 'lazy_init'),
    *('pretrained', 'train_cfg', 'init_cfg'),
}
CLASSES = {
    '`model`, a': (MODELS, 'MutualSemiSegmentor'),
    '`model.rectifier`': (MODELS, 'PrototypeRectifier'),
    '`train_cfg`': (LOOPS, 'StagedTrainLoop'),
    '`custom_hooks`': (HOOKS, 'MutualEMAHook'),
    '`train_dataloader.dataset`': (DATASETS, 'SemiSegDataset'),
}
PARTS = (
    (HOOKS, 'PseudoLabelMonitorHook'),
    (HOOKS, 'SemiSegVisualizationHook'),
    (HOOKS, 'ImageScoresHook'),
    (HOOKS, 'InterruptionHook'),
    (METRICS, 'LearnersIoUMetric'),
)
STEPS = (
    'WeakStrongViews',
    'PhotometricRandAugment',
    'CutMix',
    'PackSemiSegInputs',
)


def rows(heading):
    """Cells of the first table below a heading."""
    part = PAGE.split(f'## {heading}', 1)[1].split('\n## ', 1)[0]
    table = re.search(r'(?:^\|.*\n)+', part, re.M)[0]
    lines = [line[1:-1].split('|') for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in line] for line in lines]


def parameters(cls):
    found = inspect.signature(cls.__init__).parameters
    return {k: v.default for k, v in found.items() if k not in NOT_SET}


def check_table(heading, expected):
    told = {}
    for names, default, *_ in rows(heading):
        for name in re.findall(r'`(\w+)`', names):
            told[name] = default
    assert list(told) == list(expected)
    for name, default in told.items():
        value = expected[name]
        if value is inspect.Parameter.empty:
            assert default == '', name
        elif default.startswith('`'):
            assert eval(default.strip('`')) == value, name
        else:
            # A default that is too long for a cell is described in words.
            assert isinstance(value, (list, tuple)), name
            assert default, name


@pytest.mark.parametrize('heading', CLASSES)
def test_settings_of_a_class(heading):
    registry, name = CLASSES[heading]
    cls = registry.get(name)
    title = PAGE.split(f'## {heading}', 1)[1].splitlines()[0]
    assert name in title
    check_table(heading, parameters(cls))


def test_semi_train_cfg():
    defaults = SemiTrainCfg()
    known = {
        item.name: getattr(defaults, item.name) for item in fields(defaults)
    }
    check_table('`model.semi_train_cfg`', known)


def test_optim_wrapper():
    told = {row[0].strip('`'): row[1] for row in rows('`optim_wrapper`')}
    wrapper = parameters(OPTIM_WRAPPERS.get('MutualOptimWrapper'))
    single = parameters(OPTIM_WRAPPERS.get('OptimWrapper'))
    for known in (wrapper, single):
        for name in told.keys() & known.keys() - {'optimizer'}:
            assert ast.literal_eval(told[name].strip('`')) == known[name]
    assert {'accumulative_counts', 'on_nonfinite'} < told.keys()


@pytest.mark.parametrize(('registry', 'name'), PARTS)
def test_other_parts(registry, name):
    (line,) = (row for row in rows('Other hooks') if row[0] == f'`{name}`')
    known = parameters(registry.get(name))
    known.pop('kwargs', None)
    told = dict(re.findall(r'`(\w+)=([^`]*)`', line[1]))
    assert {key: eval(value) for key, value in told.items()} == known


def test_steps():
    part = PAGE.split('| Step |', 1)[1]
    for name in STEPS:
        line = next(
            x for x in part.splitlines() if x.startswith(f'| `{name}`')
        )
        known = parameters(TRANSFORMS.get(name))
        told = re.findall(r'`(\w+)(?:=([^`]*))?`', line.split(' | ')[1])
        assert [k for k, _ in told if k in known] == list(known)
        for key, value in told:
            if value:
                assert eval(value) == known[key], key


@pytest.mark.parametrize('row', rows('Methods, by their settings'))
def test_methods(row):
    method, path, learners, settings, steps = row
    cfg = Config.fromfile(ROOT / 'configs' / path.strip('`'))
    assert len(cfg.model.segmentors) == int(learners)
    assert bool(cfg.model.get('rectifier')) == (method == 'RML')
    told = dict(
        re.fullmatch(r'(\w+)=(.*)', text).groups()
        for text in re.findall(r'`([^`]+)`', settings)
    )
    told = {key: eval(value) for key, value in told.items()}
    found = dict(cfg.model.semi_train_cfg)
    alike = {'unsup_weight', 'unlabelled_statistics', 'channels_last'}
    assert {k: v for k, v in found.items() if k not in alike} == dict(
        {'p0': 'online'} | told
    )
    pipeline = cfg.train_dataloader.dataset.unlabelled.pipeline
    after = next(
        i for i, step in enumerate(pipeline) if step.type == 'WeakStrongViews'
    )
    wanted = [
        re.sub(r'(\w+)\((.*)\)', r"dict(type='\1', \2)", text)
        if '(' in text
        else f"dict(type='{text}')"
        for text in re.findall(r'`([^`]+)`', steps)
    ]
    assert [dict(step) for step in pipeline[after + 1 : -1]] == [
        eval(text) for text in wanted
    ]
