"""The grids on CamVid that tools/benchmarks/suites describe."""

from pathlib import Path

import pytest
from mmengine.config import Config

from rml_mmseg.experiments.suites import (
    cfg_options,
    find_targets,
    load_suite,
    plan_runs,
)
from rml_mmseg.models.utils.semi_train_cfg import SemiTrainCfg

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ('name', 'iterations'), [('camvid_cpu', 2000), ('camvid_gpu', 4000)]
)
def test_grid_on_camvid(monkeypatch, tmp_path, name, iterations):
    monkeypatch.chdir(ROOT)
    path = ROOT / f'tools/benchmarks/suites/{name}.py'
    runs = find_targets(plan_runs(load_suite(path), tmp_path))
    counts = {'1-30': 12, '1-8': 46, '1-4': 92, 'full': 330}
    for run in runs:
        assert f'{run.split}_seed{run.seed}/' in str(run.options)
        lists = {
            key: Path(value.format(cwd=ROOT)).read_text().split()
            for key, value in run.options.items()
            if key.endswith('ann_file')
        }
        held_out = lists.pop('val_dataloader.dataset.ann_file')
        assert len(held_out) == 37
        for names in lists.values():
            assert not {*names} & {*held_out}
        labelled = next(v for k, v in lists.items() if 'unlabelled' not in k)
        assert len(labelled) == counts[run.split]
        semi = 'supervised' not in run.method
        assert len(lists) == 1 + semi
        assert sum(map(len, lists.values())) == (
            330 if semi else len(labelled)
        )
        cfg_options(run.options)
    stages = dict(
        rml_two_stage=2,
        rml_four_stage=4,
        rml_aligned=2,
        rml_aligned_own=2,
        rml_aligned_stage=2,
        rml_online=2,
        rml_aligned_four_stage=4,
        cps_as_long=2,
        classmix_as_long=4,
    )
    per_stage = {
        run.method: run.target / stages.get(run.method, 1) for run in runs
    }
    longer = per_stage.pop('supervised_as_long')
    assert set(per_stage.values()) == {iterations}
    assert longer > iterations
    supervised = {run.method for run in runs if run.split == 'full'}
    assert supervised == {'supervised', 'supervised_vit'}


@pytest.mark.parametrize('name', ['camvid_cpu', 'camvid_gpu'])
def test_pseudo_labels_weigh_alike_in_all_methods(tmp_path, name):
    path = ROOT / f'tools/benchmarks/suites/{name}.py'
    runs = plan_runs(load_suite(path), tmp_path, seeds=[0])
    weights = {}
    for method, config in {run.method: run.config for run in runs}.items():
        model = Config.fromfile(ROOT / config).model
        if model.type == 'MutualSemiSegmentor':
            cfg = SemiTrainCfg(**model.semi_train_cfg)
            peers = len(model.segmentors) - 1
            sources = cfg.self_weight + cfg.peer_weight * peers
            weights[method] = cfg.unsup_weight * sources
    assert len(weights) == 26
    assert len(set(weights.values())) == 1, weights


def test_committed_results_are_those_of_the_suite():
    path = ROOT / 'tools/benchmarks/suites/camvid_cpu.py'
    runs = plan_runs(load_suite(path), ROOT / 'docs/results/camvid_cpu')
    finished = [run for run in runs if run.record]
    assert finished
    for run in finished:
        run.check_settings()
        assert run.status == 'finished' and not run.untested
