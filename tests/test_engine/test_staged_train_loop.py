import copy
import shutil
from itertools import islice

import cv2
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import PolyLR
from mmengine.runner import Runner
from torch.utils.data import BatchSampler

from rml_mmseg.datasets.seeding import derive_seed
from rml_mmseg.datasets.soft_labels import STEP, decode, encode
from rml_mmseg.engine.loops import staged_train_loop
from rml_mmseg.engine.loops.stage_schedules import (
    check_schedules,
    with_default_end,
)
from tests.toys import toy_model_cfg, toy_runner, toy_segmentor, val_settings


class Watch(Hook):
    """Hook that records what ``look`` returns before every iteration."""

    priority = 'LOWEST'

    def __init__(self, look):
        self.look, self.seen = look, []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append(self.look(runner, data_batch))


def _seen(tmp_path, look, train_cfg=None, **settings):
    watch = Watch(look)
    train_cfg = dict(
        dict(type='StagedTrainLoop', iters_per_stage=3, val_interval=100),
        **(train_cfg or {}),
    )
    runner = toy_runner(tmp_path, [watch], train_cfg=train_cfg, **settings)
    runner.train()
    return watch.seen


def _rates(runner, _):
    return [
        round(rate[0], 9) for rate in runner.optim_wrapper.get_lr().values()
    ]


# In mmengine a polynomial is at its end in the last iteration.
POLY = dict(type='PolyLR', power=1.0, eta_min=0.0, by_epoch=False)


class TestSchedule:
    def test_starts_again_with_every_stage(self, tmp_path):
        seen = _seen(tmp_path, _rates, dict(stages=2), param_scheduler=[POLY])
        stage = [0.1, 0.05, 0.0]
        assert [rate for rate, _ in seen] == pytest.approx(stage * 2)
        assert all(first == second for first, second in seen)

    def test_the_rate_that_is_logged_as_base_starts_again_too(self, tmp_path):
        def base(runner, _):
            wrapper = runner.optim_wrapper['students.0']
            # As mmengine has it since 0.10.
            settings = getattr(wrapper, 'base_param_settings', None)
            return None if settings is None else settings['lr']

        rules = dict(custom_keys=dict(decode_head=dict(lr_mult=10.0)))
        wrapper = dict(
            constructor='MutualOptimWrapperConstructor',
            optimizer=dict(type='SGD', lr=0.1),
            paramwise_cfg=rules,
        )
        seen = _seen(
            tmp_path,
            base,
            dict(stages=2),
            param_scheduler=[POLY],
            optim_wrapper=wrapper,
        )
        if None not in seen:
            assert seen == pytest.approx([0.1, 0.05, 0.0] * 2)

    def test_warm_up_starts_again_too(self, tmp_path):
        linear = dict(type='LinearLR', start_factor=0.5, end=2, by_epoch=False)
        seen = _seen(
            tmp_path, _rates, dict(stages=2), param_scheduler=[linear]
        )
        assert [rate for rate, _ in seen] == pytest.approx(
            [0.05, 0.1, 0.1] * 2
        )

    def test_every_student_has_its_own(self, tmp_path):
        seen = _seen(
            tmp_path,
            _rates,
            dict(stages=2),
            param_scheduler={
                'students.0': [POLY],
                'students.1': [dict(POLY, eta_min=0.1)],
            },
        )
        assert [rates[0] for rates in seen] == pytest.approx(
            [0.1, 0.05, 0.0] * 2
        )
        assert [rates[1] for rates in seen] == pytest.approx([0.1] * 6)

    def test_momentum_of_adam_starts_again(self, tmp_path):
        poly = dict(type='PolyMomentum', power=1.0, eta_min=0.5)
        seen = _seen(
            tmp_path,
            lambda runner, _: runner.optim_wrapper.get_momentum(),
            dict(stages=2),
            param_scheduler=[dict(poly, by_epoch=False)],
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.1)),
        )
        found = [momentum['momentum'][0] for momentum in seen]
        assert found == pytest.approx([0.9, 0.7, 0.5] * 2)

    def test_without_one_the_rate_stays(self, tmp_path):
        assert _seen(tmp_path, _rates, dict(stages=2)) == [[0.1, 0.1]] * 6

    def test_burn_in_shares_the_first_stage_s(self, tmp_path):
        seen = _seen(
            tmp_path,
            _rates,
            dict(burn_in_iters=1, stages=2),
            param_scheduler=[POLY],
        )
        assert [rate for rate, _ in seen] == pytest.approx(
            [0.1, 0.05, 0.0] * 2
        )

    def test_of_a_runner_of_keywords(self, tmp_path):
        """A runner built from keyword arguments has an empty config."""
        cfg = toy_runner(tmp_path).cfg
        watch = Watch(_rates)
        cfg.update(
            train_cfg=dict(
                type='StagedTrainLoop', iters_per_stage=3, stages=2
            ),
            param_scheduler=[POLY],
            experiment_name='keywords',
        )
        runner = Runner(**cfg)
        runner.register_hook(watch)
        runner.train()
        assert [rate for rate, _ in watch.seen] == pytest.approx(
            [0.1, 0.05, 0.0] * 2
        )

    def test_a_built_one_is_refused(self):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1)
        built = PolyLR(optimizer, by_epoch=False)
        with pytest.raises(ValueError, match='built PolyLR.*set its config'):
            check_schedules([built], 3)

    def test_end_of_a_stage_is_the_default_end(self):
        config = {
            'students.0': [dict(type='PolyLR', by_epoch=False)],
            'students.1': dict(type='PolyLR', by_epoch=False, end=5),
        }
        expected = {
            'students.0': [dict(type='PolyLR', by_epoch=False, end=9)],
            'students.1': dict(type='PolyLR', by_epoch=False, end=5),
        }
        assert with_default_end(config, 9) == expected
        assert 'end' not in config['students.0'][0]
        by_epoch = dict(type='PolyLR')
        assert with_default_end(by_epoch, 9) == by_epoch


def _direct_means(folder, teacher):
    """Mean feature and pixels of every class over all eight images."""
    sums, counts = torch.zeros(3, 4), torch.zeros(3)
    for path in [
        *sorted((folder / 'labelled' / 'img').iterdir()),
        *sorted((folder / 'unlabelled' / 'img').iterdir()),
    ]:
        image = torch.from_numpy(cv2.imread(str(path))).permute(2, 0, 1)
        image = (image[None].float() - 128.0) / 64.0
        features = teacher.backbone(image)[0]
        says = teacher.decode_head.conv_seg(features).argmax(1)
        for pixel, k in zip(
            features.permute(0, 2, 3, 1).flatten(0, 2), says.flatten()
        ):
            sums[k] += pixel
            counts[k] += 1
    return sums / counts.clamp(min=1)[:, None], counts


class TestPrototypes:
    @pytest.mark.parametrize('stride', [1, 2])
    def test_are_the_mean_over_all_images_when_a_stage_begins(
        self, tmp_path, stride
    ):
        def look(runner, _):
            model = runner.model
            with torch.no_grad():
                direct = [_direct_means(tmp_path, t) for t in model.teachers]
            return [
                (r.prototypes.clone(), r.counts.clone(), means, counts)
                for r, (means, counts) in zip(model.rectifiers, direct)
            ]

        seen = _seen(
            tmp_path,
            look,
            dict(stages=2, iters_per_stage=2),
            model=toy_model_cfg(segmentors=[toy_segmentor(stride=stride)] * 2),
        )
        for iteration in (0, 2):
            for prototypes, counts, means, expected in seen[iteration]:
                assert int(expected.sum()) == 8 * (80 // stride**2)
                # A class without pixels from the teacher keeps its prototype.
                known = expected > 0
                assert torch.equal(counts[known].float(), expected[known])
                torch.testing.assert_close(prototypes[known], means[known])
        # In between they are a moving average.
        prototypes, counts, _, expected = seen[1][0]
        assert int(counts.sum()) > int(expected.sum())

    def test_may_be_left_to_the_first_batches(self, tmp_path):
        seen = _seen(
            tmp_path,
            lambda runner, _: int(runner.model.rectifiers[0].counts.sum()),
            dict(initialise=False),
        )
        assert seen == [0, 160, 320]

    def test_without_rectifiers_nothing_is_read(self, tmp_path, monkeypatch):
        read = []
        monkeypatch.setattr(
            'rml_mmseg.datasets.SemiSegDataset.load_image',
            lambda self, path: read.append(path),
        )
        _seen(
            tmp_path,
            lambda *_: None,
            model=toy_model_cfg(rectifier=False),
        )
        assert read == []


class TestStageLabels:
    """``p0='stage'``: labels by the teachers at the start of a stage."""

    def _seen(self, tmp_path, look, **train_cfg):
        return _seen(
            tmp_path,
            look,
            dict(stages=2, iters_per_stage=2, **train_cfg),
            model=toy_model_cfg(semi_train_cfg=dict(p0='stage')),
            optim_wrapper=dict(
                constructor='MutualOptimWrapperConstructor',
                optimizer=dict(type='SGD', lr=0.1, momentum=0.9),
            ),
        )

    def test_batches_hold_the_labels_of_the_stage_s_start(self, tmp_path):
        began = {}

        def look(runner, batch):
            model = runner.model
            if runner.iter % 2 == 0:
                began['teachers'] = copy.deepcopy(model.teachers)
            part = batch['unlabelled'][0]
            differences = []
            for t, teacher in enumerate(began['teachers']):
                for n, sample in enumerate(part['data_samples']):
                    image = cv2.imread(sample.img_path)
                    image = torch.from_numpy(image).permute(2, 0, 1)
                    image = (image[None].float() - 128.0) / 64.0
                    with torch.no_grad():
                        logits = teacher._forward(image)[0]
                    expected = decode(encode(logits)).float()
                    found = part['inputs']['soft_labels'][t][n].float()
                    differences.append(float((found - expected).abs().max()))
            return max(differences)

        # Interpolated logits are off by at most one step of the encoding.
        assert max(self._seen(tmp_path, look)) <= STEP + 0.02

    def test_a_finished_run_needs_its_labels_no_more(self, tmp_path):
        def train(resume):
            hook = dict(
                type='AtomicCheckpointHook', by_epoch=False, interval=4
            )
            runner = toy_runner(
                tmp_path,
                model=toy_model_cfg(semi_train_cfg=dict(p0='stage')),
                default_hooks=dict(checkpoint=hook),
                resume=resume,
                log_level='INFO',
            )
            runner.train()

        train(False)
        shutil.rmtree(tmp_path / 'work' / 'stages')
        train(True)
        logs = (tmp_path / 'work').glob('*/*.log')
        assert any('Nothing is left to train' in p.read_text() for p in logs)

    def test_rests_of_a_killed_run_go(self, tmp_path):
        folder = tmp_path / 'work' / 'stages' / 'stage_2' / 'soft_labels'
        folder.mkdir(parents=True)
        for place in (folder, *list(folder.parents)[:2]):
            (place / 'x.npz.0123abcd.part').write_bytes(b'')
        self._seen(tmp_path, lambda *_: None)
        assert list(folder.glob('*.npz'))
        assert list((tmp_path / 'work').rglob('*.part')) == []

    def test_another_run_in_the_folder_makes_its_own(self, tmp_path):
        """With equal teachers, but other images in the same files."""
        folder = tmp_path / 'work' / 'stages' / 'stage_1' / 'soft_labels'

        def labels():
            self._seen(tmp_path, lambda *_: None)
            return {p.name: p.read_bytes() for p in folder.iterdir()}

        old = labels()
        for path in (tmp_path / 'unlabelled' / 'img').iterdir():
            cv2.imwrite(str(path), 255 - cv2.imread(str(path)))
        foreign = folder / 'of_an_image_that_is_gone.npz'
        foreign.write_bytes(b'')
        new = labels()
        assert old.keys() == new.keys()
        assert all(new[name] != old[name] for name in old)

    def test_students_may_start_again(self, tmp_path):
        def look(runner, _):
            model = runner.model
            states = [
                copy.deepcopy(part.state_dict())
                for part in (model.students, model.teachers)
            ]
            momenta = [
                len(wrapper.optimizer.state)
                for wrapper in runner.optim_wrapper.values()
            ]
            return (*states, momenta)

        seen = self._seen(tmp_path, look, restart_students=True)
        first, second, third, _ = seen
        assert all(
            torch.equal(first[0][k], third[0][k])
            and torch.equal(first[1][k], third[1][k])
            for k in first[0]
        )
        assert not all(
            torch.equal(first[0][k], second[0][k]) for k in first[0]
        )
        assert [momenta for _, _, momenta in seen] == [
            [0, 0],
            [6, 6],
            [0, 0],
            [6, 6],
        ]

    def test_labels_outlive_the_teachers_that_made_them(self, tmp_path):
        """Restarted students learn from their predecessors' labels."""

        def look(runner, batch):
            soft = batch['unlabelled'][0]['inputs']['soft_labels']
            return [s.clone() for own in soft for s in own], [
                s.img_path for s in batch['unlabelled'][0]['data_samples']
            ]

        seen = self._seen(tmp_path, look, restart_students=True)
        by_path = [{}, {}]
        for iteration, (soft, paths) in enumerate(seen):
            for path, labels in zip(paths, soft[:2]):
                by_path[iteration // 2].setdefault(path, labels)
        both = set(by_path[0]) & set(by_path[1])
        assert both
        assert any(
            not torch.equal(by_path[0][path], by_path[1][path])
            for path in both
        )


class TestRandomness:
    @pytest.mark.parametrize(
        ('seed', 'randomness'),
        [(5, {}), (None, dict(diff_rank_seed=True))],
    )
    def test_a_resumed_run_draws_by_the_samplers_own_seed(
        self, tmp_path, seed, randomness
    ):
        def drawn(resume):
            watch = Watch(
                lambda runner, batch: [
                    sample.img_path
                    for part in batch['unlabelled']
                    for sample in part['data_samples']
                ]
            )
            runner = toy_runner(
                tmp_path,
                [watch],
                resume=resume,
                randomness=dict(seed=0, **randomness),
                default_hooks=dict(
                    checkpoint=dict(
                        type='AtomicCheckpointHook', by_epoch=False, interval=2
                    )
                ),
            )
            if seed is not None:
                runner._train_dataloader['sampler']['seed'] = seed
            runner.train()
            return watch.seen

        whole = drawn(False)
        (tmp_path / 'work' / 'iter_4.pth').unlink()
        last = tmp_path / 'work' / 'last_checkpoint'
        last.write_text(str(tmp_path / 'work' / 'iter_2.pth'))
        assert len(whole) == 4
        assert drawn(True) == whole[2:]

    def test_every_iteration_has_a_seed_of_its_own(self, tmp_path):
        seen = _seen(tmp_path, lambda *_: torch.initial_seed())
        assert seen == [derive_seed(0, 0, i) for i in range(3)]

    def test_same_seed_same_weights_and_others_otherwise(self, tmp_path):
        def weights(seed):
            runner = toy_runner(
                tmp_path,
                randomness=dict(seed=seed),
                model=toy_model_cfg(segmentors=[toy_segmentor(dropout=0.5)]),
            )
            return runner.train().state_dict()

        first, second, other = weights(0), weights(0), weights(1)
        assert all(torch.equal(first[key], second[key]) for key in first)
        assert not all(torch.equal(first[key], other[key]) for key in first)

    def test_monitoring_masks_change_no_bit(self, tmp_path):
        def weights(masks):
            runner = toy_runner(tmp_path, masks=masks)
            state = runner.train().state_dict()
            sample = runner.train_dataloader.dataset[0]['unlabelled'][0]
            assert ('gt_sem_seg' in sample['data_samples']) == masks
            return state

        plain = weights(False)
        for path in (tmp_path / 'unlabelled' / 'ann').iterdir():
            cv2.imwrite(str(path), cv2.imread(str(path), 0) * 0 + 200)
        garbage = weights(True)
        assert all(torch.equal(plain[key], garbage[key]) for key in plain)


class Modes(Hook):
    """Whether all modules of the students train, in each iteration."""

    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, *args, **kwargs):
        students = runner.model.students.modules()
        self.seen.append(all(module.training for module in students))


class TestModes:
    def test_students_train_and_teachers_never(self, tmp_path):
        def look(runner, _):
            model = runner.model
            return (
                all(m.training for m in model.students.modules()),
                any(m.training for m in model.teachers.modules()),
            )

        seen = _seen(
            tmp_path,
            look,
            dict(val_interval=1, stages=2),
            **val_settings(tmp_path),
        )
        assert seen == [(True, False)] * 6

    @pytest.mark.parametrize(
        'spoilt', ['model', 'students.1', 'students.0.backbone']
    )
    def test_is_set_again_where_a_hook_left_another(self, tmp_path, spoilt):
        class Spoil(Hook):
            def after_train_iter(self, runner, *args, **kwargs):
                if runner.iter == 1:
                    model = runner.model
                    whole = spoilt == 'model'
                    (model if whole else model.get_submodule(spoilt)).eval()

        watch = Modes()
        runner = toy_runner(tmp_path, [Spoil(), watch])
        calls = []
        train = runner.model.train
        runner.model.train = lambda mode=True: (
            calls.append(mode) or train(mode)
        )
        runner.train()
        assert len(watch.seen) > 3 and all(watch.seen)
        # Once at the start, and once after the hook.
        assert [mode for mode in calls if mode] == [True, True]

    def test_burn_in_learns_from_labelled_images_alone(self, tmp_path):
        seen = _seen(
            tmp_path,
            lambda runner, _: (
                runner.model.burning_in,
                runner.train_loop.stage,
                int(runner.model.rectifiers[0].counts.sum()) > 0,
            ),
            dict(burn_in_iters=2, iters_per_stage=3, stages=2),
        )
        assert seen == [
            (True, 0, False),
            (True, 0, False),
            (False, 0, True),
            (False, 1, True),
            (False, 1, True),
            (False, 1, True),
        ]


class TestData:
    def test_batches_are_the_sampler_s_in_order(self, tmp_path):
        def look(runner, batch):
            return [s.img_path for s in batch['unlabelled'][0]['data_samples']]

        seen = _seen(tmp_path, look, dict(iters_per_stage=5))
        names = [path for batch in seen for path in batch]
        assert len(set(names[:5])) == len(set(names[5:])) == 5
        again = _seen(tmp_path, look, dict(iters_per_stage=5))
        assert again == seen


class TestValidation:
    @pytest.mark.parametrize(
        ('settings', 'expected'),
        [
            (dict(val_interval=2), [2, 4, 5]),
            (dict(val_interval=2, val_begin=3), [4, 5]),
            (dict(val_interval=100), [5]),
            (dict(val_interval=1), [1, 2, 3, 4, 5]),
        ],
    )
    def test_happens_at_its_interval_and_at_the_end(
        self, tmp_path, settings, expected
    ):
        seen = []

        class Count(Hook):
            def before_val(self, runner):
                seen.append(runner.iter)

        toy_runner(
            tmp_path,
            [Count()],
            train_cfg=dict(
                type='StagedTrainLoop', iters_per_stage=5, **settings
            ),
            **val_settings(tmp_path),
        ).train()
        assert seen == expected


@pytest.mark.parametrize(
    ('setting', 'value'),
    [
        ('stages', 0),
        ('stages', True),
        ('iters_per_stage', 0),
        ('val_interval', -1),
        ('val_begin', '3'),
        ('burn_in_iters', -1),
        ('burn_in_iters', 2),
    ],
)
def test_length_out_of_range_is_an_error(tmp_path, setting, value):
    runner = toy_runner(
        tmp_path,
        train_cfg={
            'type': 'StagedTrainLoop',
            'iters_per_stage': 2,
            setting: value,
        },
    )
    with pytest.raises(ValueError, match=f'train_cfg.{setting}.*{value}'):
        runner.train()


def test_restarting_students_needs_labels_of_the_stage(tmp_path):
    runner = toy_runner(
        tmp_path,
        train_cfg=dict(
            type='StagedTrainLoop', iters_per_stage=2, restart_students=True
        ),
    )
    with pytest.raises(ValueError, match="restart_students.*p0='stage'"):
        runner.train()


def test_labels_of_the_stage_need_a_sampler_that_knows_them(tmp_path):
    kind = dict(batch_sampler=dict(type=BatchSampler, drop_last=False))
    runner = toy_runner(
        tmp_path, model=toy_model_cfg(semi_train_cfg=dict(p0='stage'))
    )
    runner._train_dataloader.update(kind)
    with pytest.raises(
        ValueError, match=r'p0.*remove train_dataloader\.batch_s'
    ):
        runner.train()


def test_length_of_the_run_is_that_of_all_stages(tmp_path):
    runner = toy_runner(
        tmp_path,
        train_cfg=dict(
            type='StagedTrainLoop',
            iters_per_stage=2,
            stages=3,
            burn_in_iters=1,
        ),
    )
    runner.train()
    assert runner.iter == 6


class Iterations(Hook):
    def __init__(self):
        self.seen = []

    def after_train_iter(self, runner, *args, **kwargs):
        self.seen.append(runner.model.iteration)


def test_a_ramp_up_counts_from_the_end_of_the_burn_in(tmp_path):
    hook = Iterations()
    toy_runner(
        tmp_path,
        [hook],
        train_cfg=dict(
            type='StagedTrainLoop',
            iters_per_stage=3,
            stages=2,
            burn_in_iters=2,
        ),
    ).train()
    assert hook.seen == [0, 0, 0, 1, 2, 3]


def test_every_iteration_of_every_stage_has_a_seed_of_its_own(tmp_path):
    seen = _seen(tmp_path, lambda *_: torch.initial_seed(), dict(stages=2))
    assert seen == [derive_seed(0, 0, i) for i in range(6)]


def test_a_resumed_run_of_another_seed_reads_on(tmp_path):
    def drawn(seed, resume):
        return _seen(
            tmp_path,
            lambda runner, batch: [
                sample.img_path
                for part in batch['unlabelled']
                for sample in part['data_samples']
            ],
            dict(iters_per_stage=4),
            resume=resume,
            randomness=dict(seed=seed),
            default_hooks=dict(
                checkpoint=dict(
                    type='AtomicCheckpointHook', by_epoch=False, interval=2
                )
            ),
        )

    whole = drawn(0, False)
    (tmp_path / 'work' / 'iter_4.pth').unlink()
    assert drawn(1, True) == whole[2:]


def test_nothing_starts_again_at_the_end_of_the_burn_in(tmp_path):
    def look(runner, _):
        model = runner.model
        pairs = zip(model.students.parameters(), model.teachers.parameters())
        momenta = [
            len(wrapper.optimizer.state)
            for wrapper in runner.optim_wrapper.values()
        ]
        return all(torch.equal(s, t) for s, t in pairs), momenta

    seen = _seen(
        tmp_path,
        look,
        dict(stages=2, burn_in_iters=2, restart_students=True),
        model=toy_model_cfg(semi_train_cfg=dict(p0='stage')),
        optim_wrapper=dict(
            constructor='MutualOptimWrapperConstructor',
            optimizer=dict(type='SGD', lr=0.1, momentum=0.9),
        ),
    )
    assert seen[2] == (False, [6, 6])
    assert seen[3] == (True, [0, 0])


def test_another_process_draws_other_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(staged_train_loop, 'get_rank', lambda: 1)
    seen = _seen(tmp_path, lambda *_: torch.initial_seed())
    assert seen == [derive_seed(0, 1, i) for i in range(3)]


def test_draws_that_processes_do_not_share_evenly_are_read_once(
    tmp_path, monkeypatch
):
    loop = toy_runner(tmp_path).train_loop
    sampler, seen = loop.dataloader.sampler, []
    whole = list(islice(sampler, 40))
    # Two iterations with each number of processes, with batches of 2.
    for loop._iter, world_size in ((0, 1), (2, 4), (4, 3), (6, 2)):
        monkeypatch.setattr(
            staged_train_loop, 'get_world_size', lambda n=world_size: n
        )
        loop._restart_data()
        sampler.world_size = world_size
        parts = []
        for sampler.rank in range(world_size):
            parts.append(list(islice(sampler, 4)))
        seen += [draw for row in zip(*parts) for draw in row]
    assert seen == whole
