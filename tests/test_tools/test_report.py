"""The page that the command writes."""

import json
import re
from html.parser import HTMLParser

import pytest

from tests.test_experiments.test_report import runs
from tools.analysis_tools import report

HOSTILE = '<script>alert(1)<!script> "x" \'y\' $\\frac{ & _z'


class Page(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.shown, self.ids = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for key, value in attrs:
            if key in ('href', 'src', 'xlink:href'):
                self.links.append(value)
            assert not key.startswith('on'), key

    def handle_data(self, data):
        self.shown.append(' '.join(data.split()))


@pytest.fixture
def page(call, tmp_path, capsys):
    def make(*arguments):
        out = tmp_path / 'out' / 'report.html'
        call(report, *arguments, '--out', out)
        assert 'report.html' in capsys.readouterr().out
        return Page(out.read_text('utf-8'))

    return make


def test_one_run_with_pictures(page, tmp_path):
    folder = runs.write_run(tmp_path / 'semi', name='small')
    runs.write_pictures(folder)
    found = page(folder)
    # Losses, learners, coupling and pseudo-label quality; the classes.
    assert found.tags.count('svg') == 5
    # Two panels; image, truth and prediction.
    assert found.tags.count('img') == 5
    assert 'Comparison' not in found.shown
    assert 'Iteration 50' in found.shown
    assert '50.00' in found.shown
    assert '49.00' in found.shown
    text = ' '.join(found.shown)
    assert "predict_on='teachers.0'" in text


def test_a_test_on_the_validation_images_is_told(page, tmp_path):
    folder = runs.write_run(tmp_path / 'semi', name='small')
    loader = "_dataloader = dict(dataset=dict(ann_file='val.txt'))\n"
    for path in folder.rglob('*.py'):
        with path.open('a') as file:
            file.write(f'val{loader}test{loader}')
    text = ' '.join(page(folder).shown)
    assert 'test scores of semi are of the validation images' in text


def test_scalars_of_own_hooks_are_drawn_by_name(page, tmp_path):
    folder = runs.write_run(tmp_path / 'semi')
    before = page(folder)
    assert 'Other monitored scalars' not in before.shown
    own = {'monitor/entropy': 0.5, 'monitor/teachers.0/my_loss': 7.0}
    own['monitor/teachers.0/accuracy'] = 0.75
    path = folder / '20260101_000000/vis_data/scalars.json'
    entries = [dict(own, iter=step, step=step) for step in (50, 100)]
    lines = map(json.dumps, entries)
    path.write_text('\n'.join([path.read_text('utf-8'), *lines]), 'utf-8')
    found = page(folder)
    assert found.tags.count('svg') == before.tags.count('svg') + 3
    # Pseudo-label accuracy has a plot of its own.
    assert found.shown.count('teachers.0/accuracy') == 0
    assert any('Pseudo-label accuracy' in text for text in found.shown)
    assert found.shown.count('Other monitored scalars') == 1
    # Once as the title of the element, once as that of the plot.
    for name in ('entropy', 'teachers.0/my_loss'):
        assert found.shown.count(name) == 2


def test_the_page_loads_nothing(page, tmp_path):
    folder = runs.write_run(tmp_path / 'semi')
    runs.write_pictures(folder)
    found = page(folder)
    assert not {'script', 'link', 'iframe', 'object', 'base'} & {*found.tags}
    for link in found.links:
        assert re.match(r'#|data:image/jpeg;base64,', link), link


def test_several_runs_are_compared(page, tmp_path):
    plain = runs.write_run(
        tmp_path / 'plain', semi=False, miou=48.0, name='plain'
    )
    seeds = [
        runs.write_run(tmp_path / f'seed{i}', seed=i, miou=50.0 + 4 * i)
        for i in range(2)
    ]
    found = page(plain, *seeds)
    assert 'Comparison' in found.shown
    assert '(baseline)' in found.shown
    # 52 and its deviation against 48; class a|b of the first against plain's.
    assert {'52.00', '2.83', '+4.00', '+2.00'} <= {*found.shown}
    assert 'Baseline: plain.' in found.shown


def test_another_score(page, call, tmp_path):
    for name, miou in (('plain', 48.0), ('semi', 50.0)):
        folder = runs.write_run(
            tmp_path / name, name != 'plain', miou=miou, name=name
        )
        for path in [*folder.glob('*/*.log'), *folder.rglob('*.json')]:
            text = path.read_text('utf-8')
            path.write_text(text.replace('IoU', 'Dice'), 'utf-8')
    folders = (tmp_path / 'plain', tmp_path / 'semi')
    found = page(*folders, '--metric', 'mDice')
    shown = ' '.join(found.shown)
    # Validation, test and class a|b.
    assert found.shown.count('+2.00') >= 3
    assert 'Dice by class (test images)' in shown
    assert 'mDice, last' in shown and 'IoU, ' not in shown
    other = runs.write_run(tmp_path / 'other', name='other')
    shown = ' '.join(page(*folders, other, '--metric', 'mDice').shown)
    assert 'other has no mDice of its validation and its test images' in shown
    assert 'semi has no' not in shown
    with pytest.raises(SystemExit, match='--metric mIoU: the runs have mDice'):
        call(report, *folders, '--out', tmp_path / 'other.html')


def test_runs_of_one_seed_are_told(call, tmp_path, capsys):
    folders = [
        runs.write_run(tmp_path / name, seed=seed)
        for name, seed in (('a', 0), ('b', 1), ('c', 0))
    ]
    out = tmp_path / 'report.html'
    call(report, *folders, '--out', out)
    text = 'small has several runs of seed 0 (a, c), so its mean'
    assert text in ' '.join(Page(out.read_text('utf-8')).shown)
    assert f'warning: {text}' in capsys.readouterr().err
    call(report, *folders[:2], '--out', out)
    assert capsys.readouterr().err == ''


def test_a_suite_of_several_label_shares(page, tmp_path):
    folders = [
        runs.write_suite_run(
            tmp_path, method, split, seed, miou=50 + len(method) * seed
        )
        for method in ('supervised', 'direct')
        for split in ('1-16', '1-4')
        for seed in (0, 1)
    ]
    found = page(*folders)
    groups = {
        f'{m} {s}' for m in ('supervised', 'direct') for s in ('1-16', '1-4')
    }
    assert groups <= {*found.shown}
    text = ' '.join(found.shown)
    assert 'several runs of seed' not in text
    assert '49.00' in found.shown and '99.00' not in found.shown
    assert 'of the last checkpoint (' in text
    # 0 and 6 - 10, in validation and test and both splits.
    assert text.count('−2.00 ± 2.83, 2 pairs') == 4
    assert text.count('(baseline)') == 4 + 2
    # Each seed against its own.
    assert 'Baseline: supervised/1-4/seed_1.' in found.shown
    assert found.shown.count('−4.00') == 2
    text = ' '.join(page(folders[0], folders[-1]).shown)
    assert 'direct 1-4 is compared with supervised 1-16: no' in text


def test_baseline_by_name(page, tmp_path):
    first, second = (
        runs.write_run(tmp_path / name, miou=miou, name=name)
        for name, miou in (('one', 50.0), ('two', 40.0))
    )
    found = page(second, '--baseline', first)
    assert '−10.00' in found.shown


def test_hostile_names_are_shown_and_not_run(page, tmp_path):
    folder = runs.write_run(tmp_path / HOSTILE, name='<b>small')
    other = runs.write_run(tmp_path / 'other', semi=False, name='<i>plain')
    for path in folder.glob('*/*.log'):
        text = path.read_text('utf-8').replace('road', '<img src=x>')
        path.write_text(text, 'utf-8')
    found = page(folder, other, '--title', '<h1>"title')
    assert not {'script', 'b', 'i', 'img'} & {*found.tags}
    shown = set(found.shown)
    assert {HOSTILE, '<b>small', '<img src=x>', '<h1>"title'} <= shown


def test_equal_names_get_more_of_their_path(tmp_path):
    folders = [tmp_path / 'a' / 'run', tmp_path / 'b' / 'run']
    assert report.unique_names(folders) == ['a/run', 'b/run']
    assert report.unique_names(folders[:1]) == ['run']


def test_a_run_without_scalars_is_left_out(call, tmp_path, capsys):
    folder = runs.write_run(tmp_path / 'semi')
    begun = tmp_path / 'begun'
    (begun / '20260101_000000/vis_data').mkdir(parents=True)
    out = tmp_path / 'report.html'
    call(report, begun, folder, '--out', out)
    text = f'{begun} is left out: it has no scalars yet'
    assert text in ' '.join(Page(out.read_text('utf-8')).shown)
    found = capsys.readouterr()
    assert f'warning: {text}' in found.err
    assert '1 run(s)' in found.out
    for arguments in ([folder, '--baseline', begun], [begun]):
        with pytest.raises(SystemExit, match='error: .*begun holds no'):
            call(report, *arguments, '--out', out)
    with pytest.raises(SystemExit, match='error: .*typo is not a folder'):
        call(report, tmp_path / 'typo', folder, '--out', out)


def test_errors_name_the_folder(call, tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(SystemExit, match='error: .*empty holds no'):
        call(report, tmp_path / 'empty', '--out', tmp_path / 'report.html')
    folder = runs.write_run(tmp_path / 'semi')
    with pytest.raises(SystemExit, match='twice'):
        call(report, folder, folder, '--out', tmp_path / 'report.html')
    assert not (tmp_path / 'report.html').exists()
