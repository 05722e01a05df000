"""Weights that cannot be read are named by their file."""

from argparse import Namespace

import pytest
import torch
from mmengine.runner import load_checkpoint

from rml_mmseg.compat import SAFE_LOADING
from rml_mmseg.engine.checks.unreadable_weights import (
    unreadable_weights_explained,
)
from rml_mmseg.engine.whole_checkpoint import CheckpointError
from rml_mmseg.models import load_optional
from tests.toys import toy_mutual


def load(path):
    with unreadable_weights_explained():
        load_checkpoint(toy_mutual(), str(path))


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.pth' cannot be read"):
        load(tmp_path / 'none.pth')


@pytest.mark.parametrize('size', [0, 9, 5000])
def test_a_file_that_ends_early(tmp_path, size):
    whole, part = tmp_path / 'whole.pth', tmp_path / 'part.pth'
    torch.save(toy_mutual().state_dict(), whole)
    part.write_bytes(whole.read_bytes()[:size])
    with pytest.raises(CheckpointError, match=r"part\.pth' cannot be read"):
        load(part)
    with (
        pytest.raises(CheckpointError, match=r"part\.pth' cannot be read"),
        unreadable_weights_explained(),
    ):
        load_optional(f'optional:{part}')


@pytest.mark.skipif(not SAFE_LOADING, reason='PyTorch reads any object')
def test_an_object_that_is_not_allowed_is_named(tmp_path):
    torch.save(dict(args=Namespace(lr=0.1)), tmp_path / 'args.pth')
    named = r'\(Unsup.*argparse\.Namespace.*\): look at [^\n]*$'
    with pytest.raises(CheckpointError, match=named):
        load(tmp_path / 'args.pth')


def test_another_function_of_the_same_name():
    def load_from_local(path):
        raise OSError(path)

    with pytest.raises(OSError, match='mine'), unreadable_weights_explained():
        load_from_local('mine')


def test_weights_of_another_network_are_none_of_its_business(tmp_path):
    torch.save({'x': torch.zeros(2)}, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='fits no learner'):
        load(tmp_path / 'other.pth')
