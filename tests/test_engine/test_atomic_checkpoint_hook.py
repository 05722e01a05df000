"""Checkpoints that survive whatever ends the run."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.fileio.backends.registry_utils import backends
from mmengine.hooks import Hook

from rml_mmseg.compat import SAFE_LOADING
from rml_mmseg.datasets import whole_file
from rml_mmseg.engine.hooks import AtomicCheckpointHook
from rml_mmseg.engine.whole_checkpoint import CheckpointError
from tests.toys import toy_runner, val_settings


def runner_with(
    folder, resume=False, load_from=None, settings=None, **checkpoint
):
    checkpoint = dict(
        type='AtomicCheckpointHook', by_epoch=False, interval=1, **checkpoint
    )
    cfg = dict(
        default_hooks=dict(logger=None, timer=None, checkpoint=checkpoint),
        resume=resume,
        load_from=load_from,
        log_level='WARNING',
        **val_settings(folder),
        train_cfg=dict(
            type='StagedTrainLoop', iters_per_stage=4, val_interval=2
        ),
    )
    return toy_runner(folder, **cfg | (settings or {}))


def names(folder):
    return sorted(path.name for path in (folder / 'work').glob('*.pth*'))


def last(folder):
    return Path((folder / 'work' / 'last_checkpoint').read_text()).name


def state(folder, name='iter_4.pth'):
    path = folder / 'work' / name
    return torch.load(path, weights_only=SAFE_LOADING)['state_dict']


def begin(runner):
    """Begin a training, up to the choice of its checkpoint."""
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.call_hook('before_run')


def test_keeps_the_newest(tmp_path):
    runner_with(tmp_path, max_keep_ckpts=2).train()
    assert names(tmp_path) == ['iter_3.pth', 'iter_4.pth']
    assert last(tmp_path) == 'iter_4.pth'


def test_the_old_one_goes_only_when_the_new_one_is_there(
    tmp_path, monkeypatch
):
    seen = []

    class Watched(whole_file.WholeFileBackend):
        def put(self, obj, filepath):
            seen.append(names(tmp_path))
            super().put(obj, filepath)

        def remove(self, filepath):
            seen.append(names(tmp_path))
            super().remove(filepath)

    monkeypatch.setitem(backends, whole_file.BACKEND, Watched)
    runner_with(tmp_path, max_keep_ckpts=1, save_best='mIoU').train()
    plain = [[n for n in found if n.startswith('iter')] for found in seen]
    assert plain[0] == []
    assert all(plain[1:])
    best = [[n for n in found if n.startswith('best')] for found in seen]
    first = next(i for i, found in enumerate(best) if found)
    assert all(best[first:])
    assert len([n for n in names(tmp_path) if n.startswith('best')]) == 1


def test_a_resumed_run_removes_what_was_left(tmp_path):
    runner = runner_with(tmp_path, max_keep_ckpts=1)
    hook = next(h for h in runner.hooks if isinstance(h, AtomicCheckpointHook))
    remove, calls = hook._remove, []

    def dies(path):
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        remove(path)

    hook._remove = dies
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert names(tmp_path) == ['iter_2.pth', 'iter_3.pth']
    runner_with(tmp_path, max_keep_ckpts=1, resume=True).train()
    assert names(tmp_path) == ['iter_4.pth']


def test_resumes_from_the_newest_whole_one(tmp_path):
    runner_with(tmp_path).train()
    expected = state(tmp_path)
    work = tmp_path / 'work'
    (work / 'iter_4.pth').write_bytes(b'no checkpoint')
    whole = (work / 'iter_3.pth').read_bytes()
    (work / 'iter_3.pth').write_bytes(whole[: len(whole) // 2])
    runner = runner_with(tmp_path, resume=True)
    seen = []

    class Note(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            seen.append(runner.iter)

    runner.register_hook(Note())
    runner.train()
    assert seen == [2, 3]
    found = state(tmp_path)
    assert all(torch.equal(found[k], expected[k]) for k in expected)
    text = ''.join(path.read_text() for path in work.glob('*/*.log'))
    for name in ('iter_4.pth', 'iter_3.pth'):
        assert f"{name}' is skipped" in text


def test_no_checkpoint_starts_from_the_beginning(tmp_path):
    runner = runner_with(tmp_path, resume=True)
    runner.train()
    assert runner.iter == 4


def test_a_note_of_a_checkpoint_that_is_gone(tmp_path):
    work = tmp_path / 'work'
    work.mkdir()
    (work / 'last_checkpoint').write_text(str(work / 'iter_9.pth'))
    runner_with(tmp_path, resume=True).train()
    assert last(tmp_path) == 'iter_4.pth'


def test_checkpoints_of_other_names_are_resumed(tmp_path):
    template = 'step_{}.pth'
    runner_with(tmp_path, filename_tmpl=template).train()
    runner = runner_with(tmp_path, resume=True, filename_tmpl=template)
    begin(runner)
    assert runner._resume
    assert Path(runner._load_from).name == 'step_4.pth'


def test_of_a_remote_folder_the_last_one_is_resumed(tmp_path):
    runner = runner_with(tmp_path, resume=True, out_dir='s3://bucket/runs')
    work = Path(runner.work_dir)
    path = f's3://bucket/runs/{work.name}/iter_3.pth'
    (work / 'last_checkpoint').write_text(path)
    begin(runner)
    assert runner._resume and runner._load_from == path


def test_a_named_checkpoint_must_be_whole(tmp_path):
    path = tmp_path / 'mine.pth'
    path.write_bytes(b'no checkpoint')
    runner = runner_with(tmp_path, resume=True, load_from=str(path))
    with pytest.raises(CheckpointError, match='mine.pth.*cannot be read'):
        runner.train()


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    runner_with(tmp_path).train()
    runner = runner_with(tmp_path, resume=True)
    runner.model.rectifiers = torch.nn.ModuleList()
    with pytest.raises(CheckpointError, match='another model'):
        runner.train()


def test_validation_that_was_cut_off_is_done_again(tmp_path):
    whole = runner_with(tmp_path / 'a', save_best='mIoU')
    whole.train()
    runner = runner_with(tmp_path / 'b', save_best='mIoU')

    class Dies(Hook):
        def after_val_iter(self, *args, **kwargs):
            if runner.iter == 4:
                raise KeyboardInterrupt

    runner.register_hook(Dies())
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    resumed = runner_with(tmp_path / 'b', save_best='mIoU', resume=True)
    resumed.train()
    scores = [
        run.message_hub.get_info('best_score') for run in (whole, resumed)
    ]
    assert scores[0] == scores[1]
    history = [
        run.message_hub.get_scalar('val/mIoU').current()
        for run in (whole, resumed)
    ]
    assert history[0] == history[1]


def test_unknown_setting():
    with pytest.raises(ValueError, match="'intervals'.*'interval'"):
        AtomicCheckpointHook(intervals=3)


def test_unknown_score(tmp_path):
    runner = runner_with(tmp_path, save_best='mIuO', rule='greater')
    with pytest.raises(ValueError, match="save_best='mIuO'.*'mIoU'"):
        runner.train()


def test_old_name_of_backend_args():
    with pytest.raises(ValueError, match='file_client_args.*use backend_args'):
        AtomicCheckpointHook(file_client_args=dict(backend='disk'))


def test_full_disk_names_it_and_leaves_the_one_before(tmp_path, monkeypatch):
    replace = os.replace

    def full(source, target):
        if target.endswith('iter_3.pth'):
            raise OSError(28, 'No space left on device')
        replace(source, target)

    monkeypatch.setattr(whole_file.os, 'replace', full)
    with pytest.raises(OSError, match='iter_3.pth.*bytes free'):
        runner_with(tmp_path, max_keep_ckpts=1).train()
    assert names(tmp_path) == ['iter_2.pth']
    assert last(tmp_path) == 'iter_2.pth'


@pytest.mark.parametrize('elsewhere', [False, True])
def test_rests_of_a_killed_run_go(tmp_path, elsewhere):
    rest = 'iter_9.pth.0123abcd.part'
    places = [tmp_path / 'work']
    settings = {}
    if elsewhere:
        settings = dict(out_dir=str(tmp_path / 'out'))
        places.append(tmp_path / 'out' / 'work')
    for place in places:
        place.mkdir(parents=True)
        (place / rest).write_bytes(b'')
    runner_with(tmp_path, **settings).train()
    assert (places[-1] / 'iter_4.pth').is_file()
    assert not any((place / rest).exists() for place in places)


def logged(folder):
    return ''.join(p.read_text() for p in (folder / 'work').glob('*/*.log'))


def test_a_resumed_run_names_what_was_changed(tmp_path):
    runner_with(tmp_path).train()
    runner_with(tmp_path, resume=True).train()
    assert 'other settings' not in logged(tmp_path)
    longer = dict(type='StagedTrainLoop', iters_per_stage=6, val_interval=3)
    runner_with(tmp_path, True, settings=dict(train_cfg=longer)).train()
    text = logged(tmp_path)
    assert text.count('resumes with other settings than those of its') == 1
    assert 'train_cfg.iters_per_stage: 4 -> 6\n' in text
    assert 'raise train_cfg.stages' in text
    assert 'val_interval:' not in text


def test_classes_in_the_place_of_names_are_no_change(tmp_path):
    path = tmp_path / 'lazy.py'
    path.write_text("""
from torch.optim import SGD
optim_wrapper = dict(
    constructor='MutualOptimWrapperConstructor',
    optimizer=dict(type=SGD, lr=0.1))
""")
    for resume in (False, True):
        settings = Config.fromfile(path, lazy_import=True)._to_lazy_dict()
        runner_with(tmp_path, resume, settings=settings).train()
    assert 'other settings' not in logged(tmp_path)


def test_a_run_of_another_optimiser_is_not_resumed(tmp_path):
    runner_with(tmp_path).train()
    adam = dict(
        constructor='MutualOptimWrapperConstructor',
        optimizer=dict(type='AdamW', lr=0.1),
    )
    changed = runner_with(tmp_path, True, settings=dict(optim_wrapper=adam))
    message = "another optimiser .*optimizer.type: 'SGD' -> 'AdamW'"
    with pytest.raises(CheckpointError, match=message):
        changed.train()


def test_the_best_that_is_saved_again_under_its_name_stays(tmp_path):
    runner = runner_with(tmp_path, save_best='mIoU')
    runner.train()
    (hook,) = (h for h in runner.hooks if isinstance(h, AtomicCheckpointHook))
    paths = set()
    for score in (200.0, 300.0):
        hook._save_best_checkpoint(runner, dict(mIoU=score))
        paths.add(hook.best_ckpt_path)
        assert Path(hook.best_ckpt_path).is_file()
    assert len(paths) == 1


def test_a_test_replaces_no_checkpoints(tmp_path):
    runner_with(tmp_path).train()
    runner_with(tmp_path).val()
    # A training of another config would, so it is refused.
    with pytest.raises(CheckpointError, match='of another config'):
        runner_with(tmp_path).train()


def test_by_epochs_nothing_replaces_the_last_whole_one(tmp_path, monkeypatch):
    def save(*args):
        raise AssertionError('weights of a broken epoch were saved')

    hook = AtomicCheckpointHook(by_epoch=True)
    monkeypatch.setattr(hook, '_save_checkpoint_with_step', save)
    hook.last_ckpt = None
    runner = SimpleNamespace(epoch=7, work_dir=str(tmp_path))
    assert hook.save_now(runner, 15) is None
    # The last checkpoint of the run that this one was resumed from.
    (tmp_path / 'last_checkpoint').write_text('work/epoch_6.pth')
    assert hook.save_now(runner, 15) == 'work/epoch_6.pth'
    hook.last_ckpt = 'work/epoch_7.pth'
    assert hook.save_now(runner, 15) == 'work/epoch_7.pth'
