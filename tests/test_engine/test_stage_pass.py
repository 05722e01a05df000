"""What the teachers make of whole images when a stage begins."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.hooks import Hook

from rml_mmseg.datasets.soft_labels import SoftLabelStore, decode, encode
from rml_mmseg.engine.loops.stage_pass import (
    run_stage_pass,
    try_stage_pass,
    without_padding,
)
from rml_mmseg.engine.loops.whole_images import image_paths, one_of_each_size
from rml_mmseg.models.utils.pseudo_labels import sample_logits
from tests.toys import toy_model_cfg, toy_runner, toy_segmentor, write_images

STAGED = dict(p0='stage')


def _prototypes(model):
    return [unit.prototypes.clone() for unit in model.rectifiers]


def _computed_anew(runner):
    """Prototypes that Eq. 10 gives for the teachers as they are."""
    model = runner.model
    kept = [
        {key: value.clone() for key, value in unit.state_dict().items()}
        for unit in model.rectifiers
    ]
    run_stage_pass(model, runner.train_dataloader.dataset)
    found = _prototypes(model)
    for unit, state in zip(model.rectifiers, kept):
        unit.load_state_dict(state)
    return found


def test_labels_of_a_padded_image_lie_where_its_pixels_do(tmp_path):
    def read(name, **preprocessor):
        model = toy_model_cfg(semi_train_cfg=STAGED)
        model['data_preprocessor'].update(preprocessor)
        runner = toy_runner(tmp_path, model=model)
        torch.manual_seed(0)
        for parameter in runner.model.students.parameters():
            torch.nn.init.normal_(parameter)
        runner.model.sync_teachers()
        store = SoftLabelStore(str(tmp_path / name))
        dataset = runner.train_loop.dataloader.dataset
        run_stage_pass(runner.model, dataset, store)
        unlabelled = dataset.unlabelled
        return [
            store.read(unlabelled.get_data_info(i)['img_path'])
            for i in range(len(unlabelled))
        ]

    # Pixels do not see each other, so padding changes no logit.
    plain = read('plain')
    padded = read('padded', test_cfg=dict(size_divisor=16))
    for own, other in zip(plain, padded):
        for a, b in zip(own, other):
            assert a.shape == b.shape
            torch.testing.assert_close(a, b, rtol=0, atol=0.2)


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('top, left', [(0, 0), (2, 4)])
def test_padding_is_cut_off_the_logits(align_corners, top, left):
    """Logits that are linear over the image stay so without padding."""
    height, width, cells = 12, 16, (6, 8)
    valid = torch.zeros(1, height, width, dtype=torch.bool)
    valid[:, top : top + 6, left : left + 8] = True

    def pixels(count, length):
        """Centres of cells in pixels; the first pixel's centre is at 0."""
        return (torch.arange(count) + 0.5) / count * length - 0.5

    rows, columns = pixels(cells[0], height), pixels(cells[1], width)
    if align_corners:
        rows = torch.linspace(0, height - 1, cells[0])
        columns = torch.linspace(0, width - 1, cells[1])
    plane = 2 * rows[:, None] + columns
    cut = without_padding(plane[None], valid, align_corners)
    assert cut.shape == (1, 3, 4)
    rows, columns = top + pixels(3, 6), left + pixels(4, 8)
    torch.testing.assert_close(cut[0], 2 * rows[:, None] + columns)
    if not align_corners:
        whole = torch.ones_like(valid)
        assert torch.equal(without_padding(plane[None], whole)[0], plane)


def test_labels_of_aligned_corners_lie_where_their_head_has_them():
    logits = torch.rand(2, 3, 4).cumsum(1).cumsum(2)
    size = (12, 16)
    expected = F.interpolate(logits[None], size, None, 'bilinear', True)[0]
    valid = torch.ones(1, *size, dtype=torch.bool)
    stored = without_padding(logits, valid, align_corners=True)
    rows, columns = ((torch.arange(n) + 0.5) / n for n in size)
    places = torch.stack(torch.meshgrid(columns, rows, indexing='xy'))
    inside = (slice(None), slice(2, -2), slice(2, -2))

    def error(found):
        return (sample_logits(found, places) - expected)[inside].abs().max()

    # Interpolation twice costs less than a shift by half a pixel.
    assert error(stored) < 0.5 * error(logits)
    plane = torch.arange(3.0)[:, None] + torch.arange(4.0)
    expected = F.interpolate(plane[None, None], size, None, 'bilinear', True)[
        0
    ]
    assert error(without_padding(plane[None], valid, True)) < 1e-5


def test_what_a_step_left_unfinished_is_no_part_of_the_prototypes(tmp_path):
    runner = toy_runner(tmp_path)
    runner.train()
    expected = _computed_anew(runner)
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    for unit in runner.model.rectifiers:
        unit.accumulate(torch.full((1, 4, 4, 4), 99.0), labels)
    for ours, other in zip(_computed_anew(runner), expected):
        assert torch.equal(ours, other)


@pytest.mark.parametrize('initialise', [True, False])
def test_restarted_students_have_prototypes_of_their_own(tmp_path, initialise):
    class Compare(Hook):
        priority = 'LOWEST'
        seen = 0

        def before_train_iter(self, runner, batch_idx, data_batch=None):
            loop = runner.train_loop
            if loop.stage_iter:
                return
            self.seen += 1
            if not initialise:
                # The first batch of the training initialises them.
                for rectifier in runner.model.rectifiers:
                    assert not rectifier.initialised.any()
                return
            anew = _computed_anew(runner)
            for ours, other in zip(_prototypes(runner.model), anew):
                assert torch.equal(ours, other), loop.stage

    compare = Compare()
    runner = toy_runner(
        tmp_path,
        [compare],
        model=toy_model_cfg(semi_train_cfg=STAGED),
        train_cfg=dict(
            type='StagedTrainLoop',
            iters_per_stage=3,
            stages=2,
            val_interval=100,
            restart_students=True,
            initialise=initialise,
        ),
    )
    runner.train()
    assert compare.seen == 2


def test_an_image_of_both_sets_is_read_once(tmp_path):
    runner = toy_runner(tmp_path)
    dataset = runner.train_loop.dataloader.dataset
    plain = image_paths(dataset)
    assert len(plain) == len(dataset.labelled) + len(dataset.unlabelled)
    dataset.labelled = dataset.unlabelled
    dataset.allow_overlap = True
    paths = image_paths(dataset)
    assert paths == [(path, True) for path, alone in plain if alone]


class OfOneSize(torch.nn.Module):
    """A backbone that reads images of 8 x 10 pixels alone."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        assert x.shape[-2:] == (8, 10), 'no such size'
        return self.inner(x)


def runner_of_one_size(folder, **test_cfg):
    model = toy_model_cfg(semi_train_cfg=STAGED)
    model['test_cfg'] = dict(model.get('test_cfg') or {}, **test_cfg)
    runner = toy_runner(
        folder,
        model=model,
        train_cfg=dict(
            type='StagedTrainLoop', iters_per_stage=3, burn_in_iters=2
        ),
    )
    dataset = runner.train_loop.dataloader.dataset
    # Larger than crops, as whole images are.
    load = dataset.load_image

    def larger(path):
        item = load(path)
        item['inputs'] = item['inputs'].repeat(1, 2, 2)
        return item

    dataset.load_image = larger
    for network in (*runner.model.students, *runner.model.teachers):
        network.backbone = OfOneSize(network.backbone)
    runner.model.sync_teachers()
    return runner


def test_what_teachers_cannot_read_is_told_before_the_burn_in(tmp_path):
    runner = runner_of_one_size(tmp_path)
    with pytest.raises(RuntimeError, match='cannot read .*no such size'):
        runner.train()
    assert runner.iter == 0


def test_teachers_that_are_tested_in_windows_read_in_windows(tmp_path):
    runner = runner_of_one_size(
        tmp_path, mode='slide', crop_size=(8, 10), stride=(6, 7)
    )
    runner.train()
    assert runner.iter == 3


def test_stages_over_joined_sets(tmp_path):
    def joined(cfg):
        return dict(type='ConcatDataset', datasets=[cfg])

    def train(wrap):
        folder = tmp_path / wrap.__name__
        model = toy_model_cfg(semi_train_cfg=STAGED)
        plain = toy_runner(folder, model=model).cfg
        data = plain.train_dataloader.dataset
        loader = dict(
            plain.train_dataloader,
            dataset=dict(
                data,
                labelled=wrap(data.labelled),
                unlabelled=wrap(data.unlabelled),
            ),
        )
        runner = toy_runner(folder, model=model, train_dataloader=loader)
        runner.train()
        return runner.model.state_dict()

    expected, found = train(dict), train(joined)
    for name in expected:
        assert torch.equal(expected[name], found[name]), name


def test_an_image_of_each_size(tmp_path):
    write_images(tmp_path, 3)
    write_images(tmp_path / 'wide', 2, size=(8, 12))
    (tmp_path / 'broken.png').write_bytes(b'no image')
    folders = [tmp_path / 'img', tmp_path / 'wide' / 'img']
    paths = [
        (str(path), True)
        for folder in folders
        for path in sorted(folder.iterdir())
    ]
    broken = (str(tmp_path / 'broken.png'), True)
    found = one_of_each_size([*paths, broken])
    assert found == [paths[0], paths[3], broken]
    assert one_of_each_size([*paths, broken], most=2) == found[:2]
    assert one_of_each_size(paths, looked_at=2) == [paths[0], paths[4]]


def test_a_size_that_a_teacher_cannot_read(tmp_path):
    """Such as with a network that needs sides divisible by 32."""
    runner = toy_runner(tmp_path)
    write_images(tmp_path / 'unlabelled', 5)
    write_images(tmp_path / 'wide', 1, size=(8, 12))
    (tmp_path / 'wide/img/0.png').rename(tmp_path / 'unlabelled/img/9.png')
    model, dataset = runner.model, runner.train_loop.dataloader.dataset
    try_stage_pass(model, dataset)

    def fail(module, args):
        assert args[0].shape[-1] == 10, 'not divisible by 10'

    model.teachers[1].backbone.register_forward_pre_hook(fail)
    message = r"cannot read .*9.png', of .*\(8, 12\): .*not divisible by 10"
    with pytest.raises(RuntimeError, match=message):
        try_stage_pass(model, dataset)


def test_each_teacher_s_labels_are_stored_by_its_own_head(tmp_path):
    segmentors = [toy_segmentor(stride=2) for _ in range(2)]
    segmentors[1]['decode_head']['align_corners'] = True
    model = toy_model_cfg(
        segmentors=segmentors, semi_train_cfg={'p0': 'stage'}
    )
    runner = toy_runner(tmp_path, model=model)
    model, dataset = runner.model, runner.train_loop.dataloader.dataset
    for parameter in model.teachers.parameters():
        torch.nn.init.normal_(parameter)
    store = SoftLabelStore(str(tmp_path / 'store'))
    run_stage_pass(model, dataset, store)
    path = dataset.unlabelled.get_data_info(0)['img_path']
    item = dataset.load_image(path)
    batch = dict(inputs=[item['inputs']], data_samples=[item['data_samples']])
    images = model.data_preprocessor(batch)['inputs']
    valid = torch.ones(1, *images.shape[-2:], dtype=torch.bool)
    for teacher, found, aligned in zip(
        model.teachers, store.read(path), (False, True)
    ):
        logits = without_padding(teacher._forward(images)[0], valid, aligned)
        assert torch.equal(found, decode(encode(logits)))
