"""What is read from a work folder."""

import shutil

import numpy as np
import pytest

from rml_mmseg.experiments.class_tables import read_class_tables
from rml_mmseg.experiments.report import compare_groups, read_run
from rml_mmseg.experiments.report.baselines import own_baseline
from rml_mmseg.experiments.report.gain import Gain
from rml_mmseg.experiments.report.pictures import (
    data_uri,
    hard_images,
    panel_pictures,
)
from rml_mmseg.experiments.scalars import read_curves, spread
from tests.test_experiments.test_report import runs


def test_everything_of_a_run(tmp_path):
    run = read_run(runs.write_run(tmp_path / 'semi', seed=3))
    assert (run.name, run.group, run.seed) == ('semi', 'small', 3)
    assert (run.deployed, run.iterations) == ('teachers.0', 100)
    assert run.train['loss'] == [(50, 3.0), (100, 2.0)]
    assert run.val['students.1/mIoU'] == [(50, 43.0), (100, 48.0)]
    assert run.score('mIoU') == 50.0
    assert run.best('mIoU') == (100, 50.0)
    assert run.test == {'mIoU': 49.0}
    # The last validation; a class name with a bar; a class without score.
    assert run.class_scores('val', 'IoU') == {'road': 90.0, 'a|b': 50.0}
    assert run.classes['val']['students.1']['IoU'] == {
        'road': 3.0,
        'a|b': 4.0,
    }
    assert run.class_scores('test', 'IoU') == {'road': 80.0, 'a|b': 40.0}


def test_a_plain_run(tmp_path):
    run = read_run(runs.write_run(tmp_path, semi=False))
    assert not run.is_semi
    assert run.deployed == ''
    assert run.images is None


def test_a_test_on_the_validation_images(tmp_path):
    run = read_run(runs.write_run(tmp_path))
    assert not run.tested_on_validation
    dataset = dict(ann_file='val.txt', pipeline=[])
    run.config['val_dataloader'] = dict(dataset=dataset)
    for name, same in (('val.txt', True), ('test.txt', False)):
        tested = dict(dataset, ann_file=name, pipeline=['other'])
        run.config['test_dataloader'] = dict(dataset=tested)
        assert run.tested_on_validation == same
    run.config['test_dataloader'] = run.config['val_dataloader']
    run.test = {}
    assert not run.tested_on_validation


def test_a_run_shorter_than_the_interval_of_its_log(tmp_path):
    run = read_run(runs.write_run(tmp_path))
    run.train.clear()
    assert run.iterations == 100


def test_a_run_whose_config_is_gone(tmp_path):
    folder = runs.write_run(tmp_path / 'semi')
    for text in ('model = y', 'model = ('):
        for path in folder.rglob('*.py'):
            path.write_text(text, 'utf-8')
        run = read_run(folder)
        assert run.config is None
    assert run.seed is None
    assert not run.is_semi
    assert run.score('mIoU') == 50.0


def test_a_resumed_run_goes_on_and_replaces(tmp_path):
    first, second = tmp_path / '1.json', tmp_path / '2.json'
    runs.write_lines(first, [dict(loss=i, iter=i, step=i) for i in (1, 2, 3)])
    runs.write_lines(
        second, [dict(loss=10 * i, iter=i, step=i) for i in (3, 4)]
    )
    train, val = read_curves([first, second])
    assert train == {'loss': [(1, 1), (2, 2), (3, 30), (4, 40)]}
    assert val == {}


def test_lines_that_are_cut_off_or_not_finite(tmp_path):
    path = tmp_path / 'scalars.json'
    path.write_text(
        '{"loss": NaN, "iter": 1, "step": 1}\n{"mIoU": 5, "step": 1}\n'
        '{"lr": "x", "iter": 1, "step": 1}\n[1]\n{"mIoU": 7, "st'
    )
    assert read_curves([path]) == ({}, {'mIoU': [(1, 5.0)]})


def test_a_test_without_a_score(tmp_path):
    folders = [
        runs.write_run(tmp_path / f'{semi}_{seed}', semi, seed)
        for semi in (False, True)
        for seed in (0, 1)
    ]
    for path in tmp_path.rglob('20260102_000000.json'):
        path.write_text('{"mIoU": NaN, "aAcc": 50}')
    read = [read_run(folder) for folder in folders]
    assert [run.test for run in read] == [{'aAcc': 50.0}] * 4
    # Two runs in each group: those of one name share a config.
    for run in read[:2]:
        run.record = dict(method='plain')
    _, group = compare_groups(read, 'mIoU', read[0])
    assert group.gain('test') is None
    assert group.gain('val').pairs == 2


def test_folder_without_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match='vis_data/scalars.json'):
        read_run(tmp_path)


def test_a_validation_that_did_not_end_is_left_out():
    lines = runs.table({'road': 5.0})
    assert read_class_tables(lines) == {}
    end = f'{runs.HEAD}Iter(val) [1/2]'
    assert read_class_tables([*lines, end]) == {}
    end = f'{runs.HEAD}Epoch(val) [2/2]'
    assert read_class_tables([*lines, end]) == {
        'val': {'': {'IoU': {'road': 5.0}, 'Acc': {'road': 50.0}}}
    }


def test_mean_and_deviation_over_seeds(tmp_path):
    found = [
        read_run(runs.write_run(tmp_path / str(seed), seed=seed, miou=miou))
        for seed, miou in enumerate((50.0, 54.0))
    ]
    baseline = read_run(
        runs.write_run(tmp_path / 'plain', semi=False, name='plain')
    )
    small, plain = compare_groups([*found, baseline], 'mIoU', baseline)
    assert (small.name, small.is_baseline) == ('small', False)
    assert (plain.name, plain.is_baseline) == ('plain', True)
    assert small.mean('val') == 52.0
    # Two values 2 from their mean: sqrt((4 + 4) / 1).
    assert small.deviation('val') == pytest.approx(8**0.5)
    assert small.scores('test') == [49.0, 53.0]
    assert plain.deviation('val') is None


def test_runs_of_one_name_that_are_not_alike(tmp_path):
    several = [
        read_run(runs.write_run(tmp_path / str(seed), seed=seed))
        for seed in (0, 1)
    ]
    (group,) = compare_groups(several, 'mIoU')
    assert group.differences == [] and group.seed_warning == ''
    several[1].config['train_cfg'] = dict(stages=2)
    several[1].config['randomness'] = dict(seed=0)
    assert group.differences == ['train_cfg.stages']
    assert group.repeated_seeds == [0]
    assert '(0, 1), so its mean is not over seeds' in group.seed_warning
    # Each has drawn its own.
    for run in several:
        run.config['randomness'] = dict(seed=None)
    assert group.repeated_seeds == []


def test_runs_of_a_suite_are_grouped_by_method_and_split(tmp_path):
    found = [
        read_run(runs.write_suite_run(tmp_path, 'direct', split, seed))
        for split in ('1-16', '1-4')
        for seed in (0, 1)
    ]
    groups = compare_groups(found, 'mIoU')
    assert [group.name for group in groups] == ['direct 1-16', 'direct 1-4']
    assert [run.seed for run in groups[1].runs] == [0, 1]
    assert not any(group.seed_warning for group in groups)


def suite_runs(tmp_path, scores):
    return [
        read_run(runs.write_suite_run(tmp_path, *key, miou=miou))
        for key, miou in scores.items()
    ]


def test_gains_are_of_runs_with_one_seed_and_split(tmp_path):
    found = suite_runs(
        tmp_path,
        {
            ('supervised', '1-16', 0): 30.0,
            ('supervised', '1-16', 1): 40.0,
            ('supervised', '1-4', 1): 50.0,
            ('direct', '1-16', 0): 31.0,
            ('direct', '1-16', 1): 44.0,
            ('direct', '1-16', 2): 90.0,
            ('direct', '1-4', 1): 47.0,
        },
    )
    groups = {g.name: g for g in compare_groups(found, 'mIoU', found[0])}
    assert groups['supervised 1-4'].is_baseline
    assert groups['supervised 1-4'].gain('val') is None
    # 1 and 4; the third seed has no pair.
    for kind in ('val', 'test'):
        gain = groups['direct 1-16'].gain(kind)
        assert (gain.mean, gain.pairs) == (2.5, 2)
        assert gain.deviation == pytest.approx(4.5**0.5)
    assert groups['direct 1-4'].gain('val') == Gain(-3.0, None, 1)
    names = [own_baseline(run, found, found[0]) for run in found]
    assert names == [*found[:3], found[0], found[1], found[0], found[2]]


def test_gains_without_pairs_are_of_means(tmp_path):
    found = suite_runs(
        tmp_path,
        {
            ('supervised', '1-16', 0): 30.0,
            ('direct', '1-16', 0): 31.0,
            ('direct', '1-16', 1): 35.0,
            ('direct', '1-4', 0): 50.0,
        },
    )
    _, same, other = compare_groups(found, 'mIoU', found[0])
    assert same.gain('val') == Gain(3.0, None, 0)
    assert not same.has_other_split
    # The seed is the same, the labels are not.
    assert other.gain('val') == Gain(20.0, None, 0)
    assert other.has_other_split
    assert compare_groups(found, 'mIoU')[1].gain('val') is None


def test_runs_that_name_no_seed_are_no_pairs(tmp_path):
    found = [
        read_run(runs.write_run(tmp_path / n, n != 'a', None, miou, n))
        for n, miou in (('a', 40.0), ('b', 45.0))
    ]
    _, group = compare_groups(found, 'mIoU', found[0])
    assert group.gain('val') == Gain(5.0, None, 0)


def test_a_run_of_a_suite_has_the_test_of_its_last_checkpoint(tmp_path):
    folder = runs.write_suite_run(tmp_path, 'direct', '1-16', 0)
    run = read_run(folder)
    assert run.test == {'mIoU': 49.0}
    assert run.class_scores('test', 'IoU') == {'road': 80.0, 'a|b': 40.0}
    assert run.class_scores('val', 'IoU') == {'road': 90.0, 'a|b': 50.0}
    shutil.rmtree(folder / 'test')
    run = read_run(folder)
    assert run.test == {} and run.class_scores('test', 'IoU') == {}


@pytest.mark.parametrize('text', ['{"method": "di', '[1]', '{"seed": 3}'])
def test_a_run_json_that_is_of_no_suite(tmp_path, text):
    folder = runs.write_run(tmp_path, seed=1)
    (folder / 'run.json').write_text(text, 'utf-8')
    run = read_run(folder)
    assert (run.group, run.seed) == ('small', 1)


def test_a_group_without_scores(tmp_path):
    run = read_run(runs.write_run(tmp_path))
    run.val, run.test = {}, {}
    (group,) = compare_groups([run], 'mIoU')
    assert group.mean('val') is None
    assert group.deviation('test') is None


def test_pictures_of_a_run(tmp_path):
    folder = runs.write_run(tmp_path)
    runs.write_pictures(folder)
    run = read_run(folder)
    assert [step for step, _ in run.panels] == [50, 100]
    assert [panel['step'] for panel in panel_pictures(run, 1)] == [100]
    (image,) = hard_images(run)
    assert (image['name'], image['score']) == ('image.png', 25.0)
    assert image['worst'] == [('sky', 0.0), ('road', 50.0)]
    assert len(image['uris']) == 3
    cut = folder / '20991231_000000/image_scores.json'
    cut.parent.mkdir()
    cut.write_text('[{"name"')
    assert hard_images(read_run(folder))[0]['name'] == 'image.png'
    (tmp_path / 'image.png').unlink()
    assert len(hard_images(read_run(folder))[0]['uris']) == 2


def test_what_is_spread_keeps_the_ends():
    assert spread(range(10), 4) == [0, 3, 6, 9]
    assert spread([1, 2], 4) == [1, 2]
    assert spread(range(5), 1) == [4]
    curve = [(i, 0.0) for i in range(1000)]
    short = spread(curve, 100)
    assert (short[0], short[-1], len(short)) == (curve[0], curve[-1], 100)


def test_data_uri_is_an_image():
    assert data_uri(np.zeros((2, 2, 3), np.uint8)).startswith(
        'data:image/jpeg;base64,/9j/'
    )
