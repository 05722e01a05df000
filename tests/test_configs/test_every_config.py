"""Every config parses, names what is there, and its networks build."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATA_SAMPLERS, DATASETS, LOOPS, MODELS

import rml_mmseg  # noqa: F401  (registers the package)
from tests.test_configs.small import segmentors_of, shrink_model

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / 'configs'
LEAVES = sorted(
    str(path.relative_to(FOLDER))
    for path in FOLDER.rglob('*.py')
    if '_base_' not in path.parts
)
BUILT = {}


def build(cfg):
    """The small model of a config; equal ones are built once."""
    shrink_model(cfg)
    key = json.dumps(cfg.model.to_dict(), sort_keys=True)
    if key not in BUILT:
        init_default_scope('mmseg')
        BUILT[key] = MODELS.build(cfg.model)
    return BUILT[key]


@pytest.fixture(params=LEAVES)
def leaf(request):
    return request.param


def test_config(leaf):
    cfg = Config.fromfile(FOLDER / leaf)
    dataset = cfg.train_dataloader.dataset
    assert LOOPS.get(cfg.train_cfg.type)
    assert DATA_SAMPLERS.get(cfg.train_dataloader.sampler.type)
    assert DATASETS.get(dataset.type)
    lists = [
        part.get('ann_file')
        for part in (dataset, *dataset.values())
        if isinstance(part, dict)
    ]
    for path in lists:
        if path and Path(path).is_absolute():
            assert Path(path).read_text()
    labelled = dataset.get('labelled', dataset)
    classes = DATASETS.get(labelled.type).METAINFO['classes']
    for segmentor in segmentors_of(cfg):
        assert segmentor.decode_head.num_classes == len(classes)
    model = build(cfg)
    scored = cfg.val_evaluator.get('learners', [])
    assert list(scored) == list(getattr(model, 'score', []))
    assert len(getattr(model, 'students', [0])) == len(segmentors_of(cfg))


def test_a_leaf_is_short(leaf):
    lines = (FOLDER / leaf).read_text().splitlines()
    assert len(lines) <= 15


def test_a_leaf_says_nothing_that_needs_a_computer_of_its_own(leaf):
    text = (FOLDER / leaf).read_text()
    assert '/home/' not in text and '/mnt/' not in text
    assert text.isascii()
