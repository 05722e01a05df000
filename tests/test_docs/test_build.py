"""The pages are built without a warning, and the tutorial runs."""

import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / 'docs' / 'tutorial.ipynb'


def test_pages_build_without_a_warning(tmp_path, run_command):
    for package in ('sphinx', 'myst_parser', 'furo'):
        pytest.importorskip(package)
    run_command(
        *(sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going'),
        *('-d', tmp_path / 'trees', ROOT / 'docs', tmp_path / 'html'),
    )
    api = (tmp_path / 'html/api.html').read_text('utf-8')
    for name in (
        'models.MutualSemiSegmentor',
        'models.utils.rectify',
        'datasets.SemiSegDataset',
        'engine.StagedTrainLoop',
        'evaluation.ClassIoUMetric',
        'evaluation.LearnersIoUMetric',
        'experiments.report.render_page',
        'visualization.draw_panels',
    ):
        assert f'id="rml_mmseg.{name}"' in api, name
    tutorial = (tmp_path / 'html/tutorial.html').read_text('utf-8')
    assert 'write_textured_scenes' in tutorial


def test_tutorial_is_committed_without_results():
    for cell in json.loads(NOTEBOOK.read_text('utf-8'))['cells']:
        assert not cell.get('outputs'), cell['id']
        assert cell.get('execution_count') is None, cell['id']


def test_tutorial_runs(tmp_path, monkeypatch):
    pytest.importorskip('ipykernel')
    nbclient = pytest.importorskip('nbclient')
    nbformat = pytest.importorskip('nbformat')
    paths = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
    monkeypatch.setenv('PYTHONPATH', paths)
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook,
        timeout=600,
        kernel_name='python3',
        resources={'metadata': {'path': str(tmp_path)}},
    ).execute()
    drawn = [
        cell['id']
        for cell in notebook.cells
        for output in cell.get('outputs', [])
        if 'image/png' in output.get('data', {})
    ]
    assert drawn == ['views', 'monitor', 'predict']
    assert list((tmp_path / 'work_dirs/tutorial').glob('iter_60.pth'))
