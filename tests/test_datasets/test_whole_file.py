"""A file is there whole or not at all."""

import errno
import os
from pathlib import Path

import pytest
from mmengine.fileio import get_file_backend

from rml_mmseg.datasets import whole_file
from rml_mmseg.datasets.whole_file import (
    BACKEND,
    remove_unfinished,
    write_whole,
)


def test_content_and_no_rest(tmp_path):
    path = tmp_path / 'new' / 'a.bin'
    write_whole(str(path), b'first')
    write_whole(str(path), b'second')
    assert path.read_bytes() == b'second'
    assert os.listdir(path.parent) == ['a.bin']


@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_failure_leaves_the_old_file_and_names_the_disk(
    tmp_path, monkeypatch, step
):
    path = tmp_path / 'a.bin'
    path.write_bytes(b'old')

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(whole_file.os, step, full)
    with pytest.raises(OSError) as caught:
        write_whole(str(path), b'x' * 1234)
    assert caught.value.errno == errno.ENOSPC
    for part in (str(path), '1,234 bytes', str(tmp_path), 'bytes free'):
        assert part in str(caught.value)
    assert path.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['a.bin']


def test_a_process_that_dies_on_the_way_leaves_the_old_file(tmp_path):
    path = tmp_path / 'a.bin'
    path.write_bytes(b'old')
    child = os.fork()
    if child == 0:
        whole_file.os.replace = lambda *args: os._exit(9)
        write_whole(str(path), b'new')
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert path.read_bytes() == b'old'
    assert len(os.listdir(tmp_path)) == 2
    remove_unfinished(str(tmp_path))
    assert os.listdir(tmp_path) == ['a.bin']


def test_what_others_wrote_is_not_removed(tmp_path):
    names = ['a.bin', 'a.part', 'b.0123456.part', 'c.0123abcd.part.pth']
    for name in names:
        (tmp_path / name).write_bytes(b'')
    (tmp_path / 'below').mkdir()
    (tmp_path / 'below' / 'a.bin.0123abcd.part').write_bytes(b'')
    remove_unfinished(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted([*names, 'below'])
    assert len(os.listdir(tmp_path / 'below')) == 1
    remove_unfinished(str(tmp_path / 'missing'))


def test_two_writers_of_one_file(tmp_path, monkeypatch):
    path = tmp_path / 'a.bin'
    replace = os.replace

    def replace_after_another_writer(*places):
        monkeypatch.setattr(whole_file.os, 'replace', replace)
        write_whole(str(path), b'other')
        assert path.read_bytes() == b'other'
        replace(*places)

    monkeypatch.setattr(whole_file.os, 'replace', replace_after_another_writer)
    write_whole(str(path), b'own')
    assert path.read_bytes() == b'own'
    assert os.listdir(tmp_path) == ['a.bin']


def test_an_interrupt_leaves_no_rest(tmp_path, monkeypatch):
    def interrupt(*places):
        raise KeyboardInterrupt

    monkeypatch.setattr(whole_file.os, 'replace', interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(str(tmp_path / 'a.bin'), b'new')
    assert os.listdir(tmp_path) == []


def test_backend_of_mmengine(tmp_path):
    path = tmp_path / 'a.bin'
    backend = get_file_backend(
        str(tmp_path), backend_args=dict(backend=BACKEND)
    )
    backend.put(b'content', Path(path))
    assert path.read_bytes() == b'content'
