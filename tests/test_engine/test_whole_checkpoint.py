"""Damaged, foreign and hostile checkpoints are told from whole ones."""

import pickle
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from rml_mmseg.engine.whole_checkpoint import (
    CheckpointError,
    candidates,
    check_checkpoint,
    check_owner,
    newest_whole_checkpoint,
    read_checkpoint,
)
from tests.versions import needs_safe_loading

STATE = {'weight': torch.arange(3000.0), 'bias': torch.ones(3)}


def write(path, iteration=4, **changes):
    buffer = HistoryBuffer([1.0, 2.0], [1, 1])
    content = dict(
        meta=dict(iter=iteration, epoch=0),
        message_hub=dict(log_scalars={'loss': buffer}),
        optimizer={},
        state_dict=STATE,
    )
    content.update(changes)
    content = {k: v for k, v in content.items() if v is not None}
    torch.save(content, path)
    return path


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


@pytest.mark.parametrize(
    ('before', 'now', 'message'),
    [
        ('rml_20261126_220529', 'rml_20261127_010203', None),
        ('rml_20261126_220529', 'child_20261127_010203', 'config, rml, such'),
        # The name of a run without a config has only the time.
        ('20261126_220529', 'rml_20261127_010203', None),
        (None, 'rml_20261127_010203', None),
    ],
)
def test_folder_of_another_config(tmp_path, before, now, message):
    check_owner(str(tmp_path), now)
    meta = dict(iter=4, epoch=0, experiment_name=before)
    write(tmp_path / 'iter_4.pth', meta=meta)
    if message is None:
        check_owner(str(tmp_path), now)
    else:
        with pytest.raises(CheckpointError, match=message):
            check_owner(str(tmp_path), now)


def test_whole(tmp_path):
    path = write(tmp_path / 'iter_4.pth')
    assert check_checkpoint(str(path), STATE) == 4
    assert read_checkpoint(str(path))['state_dict']['bias'].tolist() == [1] * 3


def test_whole_in_a_process_that_has_logged_nothing(tmp_path, monkeypatch):
    path = write(tmp_path / 'iter_4.pth')
    # mmengine fills the dict when it makes the first buffer.
    monkeypatch.setattr(HistoryBuffer, '_statistics_methods', {})
    assert check_checkpoint(str(path), STATE) == 4


@pytest.mark.parametrize('part', [0.0, 0.1, 0.5, 0.9, 0.999])
def test_cut(tmp_path, part):
    path = write(tmp_path / 'iter_4.pth')
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(CheckpointError, match='cannot be read'):
        check_checkpoint(str(path))


def test_a_flipped_bit_of_a_tensor(tmp_path):
    path = write(tmp_path / 'iter_4.pth')
    content = bytearray(path.read_bytes())
    place = content.index(STATE['weight'].numpy()[100:200].tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match='damaged'):
        check_checkpoint(str(path))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(optimizer=None), 'lacks optimizer.*load_from'),
        (dict(meta=dict(iter='4')), "iteration is '4'"),
        (dict(state_dict={'weight': STATE['weight']}), "'bias'"),
        (dict(state_dict={**STATE, 'more': torch.ones(1)}), "'more'"),
        (
            dict(state_dict={**STATE, 'bias': torch.ones(4)}),
            r"'bias' has the shape \(4,\), not \(3,\)",
        ),
    ],
)
def test_foreign(tmp_path, changes, message):
    path = write(tmp_path / 'iter_4.pth', **changes)
    with pytest.raises(CheckpointError, match=message):
        check_checkpoint(str(path), STATE)


def test_extra_state_of_a_module_has_no_shape(tmp_path):
    state = {**STATE, 'norm._extra_state': dict(version=1)}
    path = write(tmp_path / 'iter_4.pth', state_dict=state)
    assert check_checkpoint(str(path), state) == 4


def test_an_alignment_may_begin_and_end(tmp_path):
    aligned = {**STATE, 'rectifiers.0.shares': torch.ones(3, 2)}
    path = write(tmp_path / 'iter_4.pth')
    assert check_checkpoint(str(path), aligned) == 4
    path = write(tmp_path / 'iter_5.pth', 5, state_dict=aligned)
    assert check_checkpoint(str(path), STATE) == 5


@pytest.mark.parametrize('content', [b'', b'text', pickle.dumps([1, 2])])
def test_no_checkpoint_at_all(tmp_path, content):
    path = tmp_path / 'iter_4.pth'
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        check_checkpoint(str(path))


def test_another_archive(tmp_path):
    path = tmp_path / 'iter_4.pth'
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('readme', 'no checkpoint')
    with pytest.raises(CheckpointError, match='cannot be read'):
        check_checkpoint(str(path))


@needs_safe_loading
@pytest.mark.parametrize('legacy', [False, True])
def test_hostile_objects_are_not_made(tmp_path, legacy):
    trap = tmp_path / 'made'
    path = tmp_path / 'iter_4.pth'
    torch.save(
        dict(meta=Hostile(trap)),
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(CheckpointError, match='cannot be read'):
        check_checkpoint(str(path))
    assert not trap.exists()


class Getattr:
    """Pickles to an access of an attribute that no log needs."""

    def __reduce__(self):
        return getattr, (np.ndarray, 'tofile')


@needs_safe_loading
def test_attributes_are_only_those_of_logs(tmp_path):
    path = write(tmp_path / 'iter_4.pth', meta=Getattr())
    with pytest.raises(pickle.UnpicklingError, match="'tofile'"):
        torch.load(path, weights_only=True)
    with pytest.raises(CheckpointError, match='cannot be read'):
        check_checkpoint(str(path))


def test_newest_first_by_number(tmp_path):
    for number in (2, 10, 9):
        write(tmp_path / f'iter_{number}.pth', number)
    (tmp_path / 'best_mIoU_iter_11.pth').write_bytes(b'')
    (tmp_path / 'iter_12.pth.0123abcd.part').write_bytes(b'')
    names = [path.rsplit('/', 1)[1] for path in candidates(str(tmp_path))]
    assert names == ['iter_10.pth', 'iter_9.pth', 'iter_2.pth']


@pytest.mark.parametrize(
    ('template', 'found'),
    [
        ('step_{}.pth', ['step_7.pth']),
        ('run.{:04d}.ckpt', ['run.0008.ckpt']),
        ('epoch_{}.pth', []),
        ('only.pth', ['only.pth']),
    ],
)
def test_names_are_those_of_the_template(tmp_path, template, found):
    for name in ('step_7.pth', 'run.0008.ckpt', 'runx0009.ckpt', 'only.pth'):
        (tmp_path / name).write_bytes(b'')
    paths = candidates(str(tmp_path), template)
    assert [path.rsplit('/', 1)[1] for path in paths] == found


def test_what_is_not_whole_is_passed_over(tmp_path):
    write(tmp_path / 'iter_2.pth')
    whole = write(tmp_path / 'iter_4.pth')
    write(tmp_path / 'iter_6.pth', state_dict={})
    (tmp_path / 'iter_8.pth').write_bytes(whole.read_bytes()[:-20])
    assert newest_whole_checkpoint(str(tmp_path), state=STATE) == str(whole)


def test_none_is_whole(tmp_path):
    (tmp_path / 'iter_8.pth').write_bytes(b'x')
    with pytest.raises(CheckpointError, match='iter_8.pth.*is skipped'):
        newest_whole_checkpoint(str(tmp_path))


def test_nothing_there(tmp_path):
    assert newest_whole_checkpoint(str(tmp_path)) is None
