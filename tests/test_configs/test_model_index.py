"""Metafiles, READMEs and docs/paper.md name the configs that are there."""

import json
import re
from pathlib import Path
from statistics import fmean

import pytest
import yaml

from rml_mmseg.experiments.suites import load_suite

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ['ablations', 'camvid_480x360', 'rivals', 'rml', 'supervised']


def leaves(family):
    return {path.name for path in (ROOT / 'configs' / family).glob('*.py')}


def load(path):
    return yaml.safe_load((ROOT / path).read_text())


def test_index_imports_every_family():
    imports = load('model-index.yml')['Import']
    assert imports == [f'configs/{name}/metafile.yml' for name in FAMILIES]


@pytest.mark.parametrize('family', FAMILIES)
def test_metafile_lists_every_config_once(family):
    meta = load(f'configs/{family}/metafile.yml')
    (collection,) = meta['Collections']
    assert (ROOT / collection['README']).is_file()
    configs = [model['Config'] for model in meta['Models']]
    assert len(set(configs)) == len(configs)
    assert {Path(path).name for path in configs} == leaves(family)
    for model in meta['Models']:
        assert model['Name'] == Path(model['Config']).stem
        assert model['In Collection'] == collection['Name']
        # Results are those of runs of this code, never the paper's.
        assert ('Results' in model) == model['Metadata']['Measured']


@pytest.mark.parametrize('family', FAMILIES)
def test_readme_links_every_config(family):
    folder = ROOT / 'configs' / family
    links = re.findall(r'\]\(([^)#]+)\)', (folder / 'README.md').read_text())
    local = [link for link in links if not link.startswith('http')]
    assert all((folder / link).exists() for link in local)
    assert leaves(family) <= set(local)


def test_scores_of_the_camvid_grid_are_those_of_its_runs():
    suite = load_suite(ROOT / 'tools/benchmarks/suites/camvid_cpu.py')
    # The first method of a config uses it unchanged, others override settings.
    plain = {}
    for name, method in suite['methods'].items():
        plain.setdefault(method['config']['1-8'], name)
    found = {}
    for path in (ROOT / 'docs/results/camvid_cpu').glob('*/1-8/*/run.json'):
        run = json.loads(path.read_text())
        if run['method'] == plain[run['config']]:
            seeds = found.setdefault(run['config'], {})
            seeds[run['seed']] = run['scores']['mIoU']
    # Means over fewer seeds than the others have are not comparable.
    seeds = set.union(*map(set, found.values()))
    scores = {
        config: list(runs.values())
        for config, runs in found.items()
        if set(runs) == seeds
    }
    assert len(scores) > 5
    for family in ('ablations', 'rivals'):
        readme = (ROOT / f'configs/{family}/README.md').read_text()
        for model in load(f'configs/{family}/metafile.yml')['Models']:
            runs = scores.get(model['Config'])
            assert model['Metadata']['Measured'] == (runs is not None)
            if runs is not None:
                mean = f'{fmean(runs):.2f}'
                (result,) = model['Results']
                assert f'{result["Metrics"]["mIoU"]:.2f}' == mean
                name = model['Name']
                assert re.search(rf'\({name}\.py\).* {mean} \|', readme), name


def test_paper_page_names_what_exists():
    text = (ROOT / 'docs' / 'paper.md').read_text()
    configs = re.findall(r'\b((?:rml|supervised|ablations)/[\w.-]+\.py)', text)
    assert len(configs) >= 25
    for path in configs:
        assert (ROOT / 'configs' / path).is_file(), path
    for path in re.findall(
        r'\b(?:tools|configs)/[\w./-]+\.(?:py|sh|md)', text
    ):
        assert (ROOT / path).exists(), path
    code = '\n'.join(
        path.read_text() for path in (ROOT / 'rml_mmseg').rglob('*.py')
    )
    names = re.findall(r'`(\w+?)(?:\.(\w+))?`', text)
    for owner, member in names:
        if owner[0].isupper() and not owner.isupper():
            assert f'class {owner}' in code, owner
            if member:
                assert re.search(rf'\b{member}\b', code), member
