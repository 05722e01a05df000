"""Files from elsewhere are read without running what they hold."""

import pickle

import numpy as np
import pytest
import torch
from mmengine.runner import Runner, load_checkpoint

from rml_mmseg.datasets.soft_labels import SoftLabelStore
from rml_mmseg.datasets.split_readers import read_permutation
from rml_mmseg.engine.loops.stage_files import StageFiles
from rml_mmseg.engine.whole_checkpoint import CheckpointError
from tests.toys import toy_mutual, toy_runner
from tests.versions import needs_safe_loading

NOISE = np.random.default_rng(0).permutation(10)


class Trap:
    """Writes a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return exec, (f'open({str(self.path)!r}, "w").close()',)


@pytest.fixture
def trap(tmp_path):
    """A trap that must not have sprung when the test is over."""
    path = tmp_path / 'sprung'
    yield Trap(path)
    assert not path.exists()
    pickle.loads(pickle.dumps(Trap(path)))
    # Unpickling does spring it.
    assert path.exists()
    path.unlink()


def checkpoint(trap, place):
    content = dict(
        meta=dict(iter=1, epoch=0),
        message_hub={},
        optimizer={},
        state_dict=toy_mutual().state_dict(),
    )
    content[place] = trap
    return content


@needs_safe_loading
@pytest.mark.parametrize('place', ['meta', 'message_hub', 'state_dict'])
@pytest.mark.parametrize('legacy', [False, True])
def test_checkpoint_to_start_from(tmp_path, trap, place, legacy):
    path = tmp_path / 'a.pth'
    torch.save(
        checkpoint(trap, place),
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(pickle.UnpicklingError):
        load_checkpoint(toy_mutual(), str(path))


@needs_safe_loading
@pytest.mark.parametrize('named', [True, False])
def test_checkpoint_to_resume_from(tmp_path, trap, named):
    (tmp_path / 'work').mkdir()
    path = tmp_path / 'work' / 'iter_1.pth'
    torch.save(checkpoint(trap, 'message_hub'), path)
    runner = toy_runner(
        tmp_path,
        resume=True,
        load_from=str(path) if named else None,
        default_hooks=dict(
            logger=None,
            timer=None,
            checkpoint=dict(type='AtomicCheckpointHook', by_epoch=False),
        ),
    )
    assert isinstance(runner, Runner)
    with pytest.raises(CheckpointError, match='iter_1.pth'):
        runner.train()


def test_networks_of_a_stage(tmp_path, trap):
    path = tmp_path / 'teachers.pth'
    torch.save(dict(weight=trap), path)
    with pytest.raises(pickle.UnpicklingError):
        StageFiles._load(str(path))


@pytest.mark.parametrize('key', ['maker', 'learners', '0.classes'])
def test_soft_labels(tmp_path, trap, key):
    store = SoftLabelStore(str(tmp_path), 'maker')
    store.write('image', [torch.randn(3, 2, 2)])
    path = store.file_of('image')
    arrays = dict(np.load(path))
    arrays[key] = np.array(trap, dtype=object)
    np.savez(path, **arrays)
    with pytest.raises(RuntimeError, match='cannot be used'):
        store.read('image')
    assert not store.holds('image')


@pytest.mark.parametrize('wrapped', [False, True])
@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_split(tmp_path, trap, protocol, wrapped):
    path = tmp_path / 'split.pkl'
    content = np.array([trap, 1], dtype=object) if wrapped else trap
    path.write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(ValueError, match='is refused'):
        read_permutation(path)
    path.write_bytes(pickle.dumps(NOISE, protocol))
    assert np.array_equal(read_permutation(path), NOISE)
