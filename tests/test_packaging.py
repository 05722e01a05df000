"""What wheel, sdist and editable install hold."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, 'build_' + sys.argv[1])(sys.argv[2]))
"""


@pytest.fixture(scope='module')
def checkout(tmp_path_factory):
    """Copy of the checkout, as a build leaves files where it runs."""
    folder = tmp_path_factory.mktemp('checkout')
    ignored = shutil.ignore_patterns('__pycache__', '.mim')
    for name in ('rml_mmseg', 'configs', 'tools'):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy2(file, folder)
    return folder


def build(kind, source):
    target = source.parent / f'{kind}-{source.name}'
    target.mkdir()
    done = subprocess.run(
        [sys.executable, '-c', BUILD, kind, str(target)],
        cwd=source,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return target / done.stdout.splitlines()[-1]


def carried():
    """Paths in the checkout of the files that go to the folder .mim."""
    found = [
        path.relative_to(ROOT).as_posix()
        for name in ('configs', 'tools')
        for path in (ROOT / name).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    ]
    if (ROOT / 'model-index.yml').exists():
        found.append('model-index.yml')
    return sorted(found)


def mim_content(wheel):
    prefix = 'rml_mmseg/.mim/'
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    return sorted(
        name[len(prefix) :] for name in names if name.startswith(prefix)
    )


def test_wheel_from_sdist_carries_configs_and_tools(checkout, tmp_path):
    sdist = build('sdist', checkout)
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path)
    wheel = build('wheel', next(tmp_path.iterdir()))
    assert mim_content(wheel) == carried()


def test_wheel_asks_for_no_package_of_openmmlab(checkout):
    wheel = build('wheel', checkout)
    assert mim_content(wheel) == carried()
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read('rml_mmseg-0.1.0.dist-info/METADATA').decode()
    required = [
        line.split(': ')[1]
        for line in metadata.splitlines()
        if line.startswith('Requires-Dist')
    ]
    always = [line for line in required if 'extra ==' not in line]
    assert {'ftfy', 'regex', 'packaging'} <= set(always)
    assert not [line for line in always if line.startswith('mm')]
    extra = [line for line in required if 'extra == "openmmlab"' in line]
    assert sorted(line[:5] for line in extra) == [
        'mmcv-',
        'mmeng',
        'mmpre',
        'mmseg',
    ]


def test_editable_install_links_the_checkout(checkout):
    build('editable', checkout)
    links = checkout / 'rml_mmseg' / '.mim'
    assert (links / 'tools').resolve() == checkout / 'tools'
    assert (links / 'configs').resolve() == checkout / 'configs'
