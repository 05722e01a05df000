from pathlib import Path

from rml_mmseg.experiments.suites import load_suite, plan_runs
from rml_mmseg.semi_config.lists import ImageLists
from rml_mmseg.semi_config.suite_text import suite_text


def read(folder, methods, *arguments, **settings):
    """The runs of a suite, and its baseline."""
    file = folder / 'compare.py'
    configs = {name: folder / f'compare_{name}.py' for name in methods}
    file.write_text(suite_text(file, configs, *arguments, **settings))
    suite = load_suite(file)
    return plan_runs(suite, Path('out')), suite['baseline']


def test_one_split(tmp_path):
    runs, baseline = read(tmp_path, ['supervised', 'unimatch_v2'], [3, 5])
    assert baseline == 'supervised'
    assert [(r.title, r.split, r.seed) for r in runs] == [
        ('Supervised', '', 3),
        ('UniMatch V2', '', 3),
        ('Supervised', '', 5),
        ('UniMatch V2', '', 5),
    ]
    assert runs[1].config == f'{tmp_path}/compare_unimatch_v2.py'
    assert runs[1].options == {'randomness.seed': 3}
    assert read(tmp_path, ['supervised'], [0])[1] is None
    assert read(tmp_path, ['rml', 'cps'], [0])[1] is None


def test_lists_below_a_relative_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lists = ImageLists(
        Path('data/splits/{seed}/l.txt'), Path('data/splits/{seed}/u.txt')
    )
    runs, _ = read(tmp_path, ['rml'], [3], (), lists, data_root='data/')
    assert runs[0].options['train_dataloader.dataset.labelled.ann_file'] == (
        'splits/3/l.txt'
    )


def test_lists_follow_split_and_seed(tmp_path):
    lists = ImageLists(
        tmp_path / 'data/{split}_{seed}/labelled.txt',
        tmp_path / 'other/{split}_{seed}/unlabelled.txt',
    )
    runs, _ = read(
        tmp_path, ['supervised', 'rml'], [0, 1], ['1-8', '1-4'], lists,
        data_root=str(tmp_path / 'data'),
    )  # fmt: skip
    found = {(r.method, r.split, r.seed): r.options for r in runs}
    assert len(found) == 8
    # Below the data set's folder, and else below that of the suite.
    assert found['supervised', '1-4', 1] == {
        'train_dataloader.dataset.ann_file': '1-4_1/labelled.txt',
        'randomness.seed': 1,
    }
    dataset = 'train_dataloader.dataset'
    assert found['rml', '1-8', 0] == {
        f'{dataset}.labelled.ann_file': '1-8_0/labelled.txt',
        f'{dataset}.unlabelled.ann_file': (
            f'{tmp_path}/other/1-8_0/unlabelled.txt'
        ),
        'randomness.seed': 0,
    }
