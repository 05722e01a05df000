"""tools/analysis_tools/suite_figures.py on results made by hand."""

import json

import pytest
from PIL import Image

from tools.analysis_tools import suite_figures


@pytest.fixture
def suite(tmp_path):
    """Folder of two methods and two splits; the second has a monitor."""
    rows = []
    for method, score in (('plain', 40.0), ('mutual', 42.0)):
        for split in ('1-8', '1-4'):
            record = dict(
                seed=0,
                status='finished',
                iterations=10,
                seconds=60.0,
                scores={'mIoU': score},
                best_scores={'mIoU': score + 1},
            )
            summary = {'mIoU': dict(mean=score, std=None, count=1)}
            rows.append(
                dict(
                    method=method,
                    title=method.upper(),
                    split=split,
                    runs=[record],
                    summary=summary,
                    best_summary=summary,
                )
            )
    rows[2]['runs'][0]['curves'] = dict(
        labels={'50': 0.25, '100': 0.5}, coupling={'50': 0.02, '100': 0.01}
    )
    folder = tmp_path / 'grid'
    folder.mkdir()
    results = dict(baseline='plain', rows=rows)
    (folder / 'results.json').write_text(json.dumps(results))
    return folder


def test_all_figures(suite, capsys):
    assert suite_figures.main([str(suite)]) == 0
    printed = capsys.readouterr().out.splitlines()
    names = ['ladder', 'shares', 'gains', 'pseudo_labels', 'coupling']
    assert printed == [str(suite / f'grid_{name}.png') for name in names]
    for path in printed:
        with Image.open(path) as image:
            assert image.size[0] > 900
            colours = {
                pixel for _, pixel in image.convert('RGB').getcolors(10**6)
            }
            assert len(colours) > 10


def test_only_what_there_is_data_for(suite, tmp_path):
    out = tmp_path / 'out'
    arguments = ['--split', '1-4', '--checkpoint', 'best', '--format', 'svg']
    assert suite_figures.main([str(suite), '--out', str(out), *arguments]) == 0
    assert {path.name for path in out.iterdir()} == {
        'grid_gains.svg',
        'grid_ladder.svg',
        'grid_shares.svg',
    }


def test_some_figures(suite, capsys):
    chosen = ['coupling', 'gains']
    assert suite_figures.main([str(suite), '--figures', *chosen]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == [str(suite / f'grid_{name}.png') for name in chosen]


def test_curves(suite):
    rows = json.loads((suite / 'results.json').read_text())['rows']
    read = suite_figures.read_curves
    assert read(rows, 'labels', 100.0) == {'MUTUAL': [{50: 25.0, 100: 50.0}]}
    assert read(rows, 'coupling') == {'MUTUAL': [{50: 0.02, 100: 0.01}]}


def test_methods_are_chosen_and_ordered():
    rows = [dict(method=m, split=s) for m in 'abc' for s in '12']
    chosen = suite_figures.choose_rows(rows, ['c', 'a'])
    assert [row['method'] + row['split'] for row in chosen] == [
        *('c1', 'c2', 'a1', 'a2')
    ]


def test_seeds_are_chosen_and_summed_up_anew(suite):
    rows = json.loads((suite / 'results.json').read_text())['rows']
    second = dict(rows[0]['runs'][0], seed=1, scores={'mIoU': 44.0})
    rows[0]['runs'].append(second)
    chosen = suite_figures.choose_seeds(rows, [1])
    assert [len(row['runs']) for row in chosen] == [1, 0, 0, 0]
    assert chosen[0]['summary']['mIoU'] == dict(mean=44.0, std=None, count=1)
    assert chosen[1]['summary'] == {}
    assert len(rows[0]['runs']) == 2
    assert suite_figures.choose_seeds(rows, None) is rows


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--split', '1-2'], "--split 1-2 is not one of ['1-8', '1-4']"),
        (['--seeds', '0', '7'], '--seeds 7 is not one of [0]'),
        (
            ['--split', '1-4', '--figures', 'pseudo_labels'],
            '--figures pseudo_labels needs runs on the split with Pseudo',
        ),
        (['--methods', 'rml'], "rml is not one of ['plain', 'mutual']"),
    ],
)
def test_what_is_not_there_is_named(suite, capsys, arguments, message):
    assert suite_figures.main([str(suite), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_results(tmp_path, capsys):
    assert suite_figures.main([str(tmp_path)]) == 2
    assert 'results.json' in capsys.readouterr().err


def edit(suite, old, new):
    path = suite / 'results.json'
    path.write_text(path.read_text().replace(old, new))


def test_names_of_splits_that_are_no_shares(suite, capsys):
    edit(suite, '1-8', 'few')
    edit(suite, '1-4', 'many')
    assert suite_figures.main([str(suite), '--figures', 'shares']) == 2
    assert "got ['few', 'many']" in capsys.readouterr().err
    # Not asked for by name, it is left out of what is drawn.
    assert suite_figures.main([str(suite)]) == 0
    captured = capsys.readouterr()
    assert 'grid_ladder.png' in captured.out
    assert 'shares' not in captured.out
    assert "got ['few', 'many']" in captured.err
    assert not (suite / 'grid_shares.png').exists()


def test_splits_without_a_baseline_are_told(suite, capsys):
    results = json.loads((suite / 'results.json').read_text())
    del results['rows'][1]
    (suite / 'results.json').write_text(json.dumps(results))
    assert suite_figures.main([str(suite), '--figures', 'gains']) == 0
    captured = capsys.readouterr()
    assert captured.out.endswith('grid_gains.png\n')
    assert captured.err == (
        "suite_figures: no gains on split '1-4', as the baseline 'plain' has "
        'no scores there\n'
    )


def test_the_line_of_all_labels_is_of_the_baseline(suite):
    edit(suite, '"1-4"', '"full"')
    arguments = ['--figures', 'shares', '--format', 'svg']
    assert suite_figures.main([str(suite), *arguments]) == 0
    assert 'PLAIN, all labels' in (suite / 'grid_shares.svg').read_text()
