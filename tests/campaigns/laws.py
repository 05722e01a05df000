"""Search for inputs that break a law, or crash without a clear error.

PYTHONPATH=.:tests python tests/campaigns/laws.py --examples 1500
"""

import argparse
import functools
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mmcv.transforms import Compose
from mmengine.config import Config
from mmseg.registry import TRANSFORMS
from quiet import quicken

from rml_mmseg.datasets.soft_labels import (
    STEP,
    TOP_K,
    SoftLabelStore,
    decode,
    encode,
)
from rml_mmseg.datasets.split_readers import read_names, read_permutation
from rml_mmseg.datasets.splits import (
    check_names,
    labelled_count,
    seeded_order,
    split_order,
)
from rml_mmseg.engine.checks.config import check_config
from rml_mmseg.engine.loops.stage_schedules import check_schedules
from rml_mmseg.engine.whole_checkpoint import (
    CheckpointError,
    check_checkpoint,
)
from rml_mmseg.models.utils import (
    apply_cutmix,
    class_sums,
    prototype_weights,
    rectify,
    sample_cutmix_box,
    update_prototypes,
)
from rml_mmseg.models.utils.semi_train_cfg import SemiTrainCfg

FOLDER = Path(tempfile.mkdtemp(prefix='laws_'))
SIDES = st.integers(1, 9)
CLASSES = st.integers(1, 12) | st.just(255)


def floats(shape, limit=1e6):
    elements = st.floats(-limit, limit, width=32)
    return arrays.arrays(np.float32, shape, elements=elements).map(
        torch.from_numpy
    )


@given(st.data())
def rectifier(data):
    n, k, c = data.draw(st.integers(1, 2)), data.draw(CLASSES), 2
    h, w = data.draw(SIDES), data.draw(SIDES)
    limit = data.draw(st.sampled_from([1.0, 1e3, 2.0**60]))
    features = data.draw(floats((n, c, h, w), limit))
    prototypes = data.draw(floats((k, c), limit))
    known = data.draw(arrays.arrays(bool, k).map(torch.from_numpy))
    temperature = data.draw(st.floats(1e-3, 1e3))
    weights = prototype_weights(features, prototypes, temperature, known)
    assert weights.shape == (n, k, h, w)
    assert weights.isfinite().all() and (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(n, h, w))
    probs = torch.full((n, k, 2 * h + 1, 2 * w), 1 / k)
    labels = rectify(probs, weights)
    assert labels.shape == (n, 2 * h + 1, 2 * w)
    assert labels.min() >= 0 and labels.max() < k


@given(st.data())
def prototypes(data):
    n, k, c = data.draw(st.integers(1, 3)), data.draw(CLASSES), 2
    h, w = data.draw(SIDES), data.draw(SIDES)
    features = data.draw(floats((n, c, h, w)))
    labels = data.draw(
        arrays.arrays(
            np.int64,
            (n, h, w),
            elements=st.integers(0, k - 1) | st.just(255),
        ).map(torch.from_numpy)
    )
    sums, counts = class_sums(features, labels, k)
    assert counts.sum() == (labels != 255).sum()
    old = data.draw(floats((k, c)))
    momentum = data.draw(st.floats(0, 1))
    new = update_prototypes(old, sums, counts, momentum)
    absent = counts == 0
    assert torch.equal(new[absent], old[absent])
    assert new.isfinite().all()
    bound = max(features.abs().max(), old.abs().max())
    assert new.abs().max() <= bound * (1 + 1e-5) + 1e-5


@given(st.data())
def cutmix(data):
    height, width = data.draw(st.integers(1, 60)), data.draw(SIDES)
    area = data.draw(st.floats(0.01, 1))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    try:
        box = sample_cutmix_box(height, width, generator, area)
    except TypeError:
        generator = torch.Generator().manual_seed(
            data.draw(st.integers(0, 2**31))
        )
        box = sample_cutmix_box(height, width, generator, area)
    y1, x1, y2, x2 = box
    assert 0 <= y1 <= y2 <= height and 0 <= x1 <= x2 <= width
    n = data.draw(st.integers(1, 4))
    tensor = torch.arange(n).view(n, 1, 1, 1).expand(n, 2, height, width)
    partner = torch.tensor(data.draw(st.permutations(range(n))))
    boxes = torch.tensor([box] * n)
    mixed = apply_cutmix(tensor.clone(), boxes, partner)
    inside = mixed[:, :, y1:y2, x1:x2]
    assert (inside == partner.view(n, 1, 1, 1)).all()
    outside = mixed.clone()
    outside[:, :, y1:y2, x1:x2] = tensor[:, :, y1:y2, x1:x2]
    assert torch.equal(outside, tensor)


VIEWS = Compose(
    [
        TRANSFORMS.build(dict(step, _scope_='mmseg'))
        for step in (
            dict(type='MarkValid'),
            dict(type='RandomCrop', crop_size=(8, 8)),
            dict(type='RandomFlip', prob=0.5),
            dict(
                type='WeakStrongViews',
                strong=[dict(type='PhotometricRandAugment')],
            ),
            dict(type='CutMix'),
            dict(type='PackSemiSegInputs'),
        )
    ]
)


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(2, 20), st.integers(2, 20)))
)
def views(grey):
    image = np.dstack([grey] * 3)
    results = dict(
        img=image.copy(),
        img_path='x.png',
        img_shape=grey.shape,
        ori_shape=grey.shape,
        seg_fields=[],
    )
    inputs = VIEWS(results)['inputs']
    size = min(8, grey.shape[0]), min(8, grey.shape[1])
    for view in (inputs['weak'], *inputs['strong']):
        assert view.shape == (3, *size) and view.dtype == torch.uint8
    assert inputs['valid'].all()
    assert np.isin(inputs['weak'].numpy(), grey).all()


NAMES = st.text(st.characters(codec='utf-8'), max_size=12)


@given(st.lists(NAMES, max_size=8), st.integers(0, 2**31), st.data())
def splits(names, number, data):
    try:
        listed = check_names(names)
    except ValueError:
        return
    for name in listed:
        assert (
            (FOLDER / 'root' / name)
            .resolve()
            .is_relative_to(FOLDER.resolve() / 'root')
        )
    order = seeded_order(names, number)
    assert sorted(order) == sorted(names)
    ratio = data.draw(st.floats(0, 1) | st.sampled_from(['1/8', 'x', '1/0']))
    try:
        count = labelled_count(len(names), ratio)
    except ValueError:
        return
    parts = split_order(order, count)
    assert parts['labelled'] + parts['unlabelled'] == order


@given(st.binary(max_size=80))
def split_files(content):
    path = FOLDER / 'split'
    path.write_bytes(content)
    for read in (read_names, read_permutation):
        try:
            read(path)
        except ValueError:
            continue


@given(st.data())
def cache(data):
    k, h, w = data.draw(CLASSES), data.draw(SIDES), data.draw(SIDES)
    logits = data.draw(floats((k, h, w), 20.0))
    found = decode(encode(logits)).float()
    assert found.shape == logits.shape
    best = found.argmax(0, keepdim=True)
    gap = logits.amax(0) - logits.gather(0, best)[0]
    assert gap.max() <= STEP
    if k <= TOP_K:
        wanted = (logits - logits.amax(0)).clamp(min=-255 * STEP)
        assert (found - wanted).abs().max() <= STEP
    store = SoftLabelStore(str(FOLDER / 'cache'), 'maker')
    store.write('image', [logits])
    path = Path(store.file_of('image'))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        (again,) = store.read('image')
    except RuntimeError:
        return
    assert torch.equal(again.float(), found)


WHOLE = FOLDER / 'iter_1.pth'


@given(st.data())
def checkpoints(data):
    if not WHOLE.exists():
        torch.save(
            dict(
                meta=dict(iter=1),
                message_hub={},
                optimizer={},
                state_dict=dict(weight=torch.arange(9.0)),
            ),
            WHOLE,
        )
    content = bytearray(WHOLE.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path = FOLDER / 'iter_2.pth'
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    state = dict(weight=torch.arange(9.0))
    try:
        assert check_checkpoint(str(path), state) in (0, 1, 2)
    except CheckpointError:
        return


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.floats(),
    st.text(max_size=6),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(['teacher', 'student', 'online', 'stage']),
)
SETTINGS = st.sampled_from([*SemiTrainCfg.__dataclass_fields__, 'unsup'])


@given(st.dictionaries(SETTINGS, VALUES, max_size=4), st.integers(1, 3))
def training_settings(cfg, learners):
    try:
        built = SemiTrainCfg.build(cfg, learners)
    except ValueError as error:
        assert any(key in str(error) for key in cfg), error
        return
    for iteration in (0, 1, 10**6):
        assert 0 <= built.weight_at(iteration) <= built.unsup_weight


@given(st.data())
def configs(data):
    cfg = dict(
        model=dict(
            type='MutualSemiSegmentor',
            segmentors=[{}] * data.draw(st.integers(1, 3)),
            test_cfg=dict(score=['students.0']),
        ),
        train_cfg=dict(type='StagedTrainLoop', iters_per_stage=4),
        custom_hooks=[dict(type='MutualEMAHook')],
        param_scheduler=[dict(type='PolyLR', by_epoch=False)],
    )
    keys = [*cfg, 'val_evaluator', 'custom_hook', 'x', 'runner_type']
    key = data.draw(st.sampled_from(keys))
    inner = st.dictionaries(
        st.sampled_from(['type', 'by_epoch', 'learners', 'max_epochs', 'end']),
        VALUES,
        max_size=3,
    )
    cfg[key] = data.draw(inner | st.lists(inner, max_size=2))
    built = Config(cfg)
    try:
        check_config(built)
        check_schedules(built.get('param_scheduler'), 4)
    except ValueError:
        return


LAWS = (
    rectifier,
    prototypes,
    cutmix,
    views,
    splits,
    split_files,
    cache,
    checkpoints,
    training_settings,
    configs,
)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--examples', type=int, default=1500)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', nargs='*', default=[])
    args = parser.parse_args()
    quicken()
    total, faults = 0, 0
    for law in LAWS:
        name = law.__name__
        if args.only and name not in args.only:
            continue
        count = 0
        inner = law.hypothesis.inner_test

        @functools.wraps(inner)
        def counted(*values, inner=inner, **named):
            nonlocal count
            count += 1
            return inner(*values, **named)

        law.hypothesis.inner_test = counted
        run = settings(
            max_examples=args.examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )(seed(args.seed)(law))
        begin = time.monotonic()
        try:
            run()
            result = 'holds'
        except BaseException:
            result = 'BROKEN'
            faults += 1
            print(traceback.format_exc()[-1500:])
        seconds = time.monotonic() - begin
        total += count
        print(f'{name}: {count} examples, {seconds:.0f} s, {result}')
    print(f'{total} examples, {faults} laws broken')
    raise SystemExit(bool(faults))


if __name__ == '__main__':
    main()
