import pytest
from mmengine.config import Config

from rml_mmseg.semi_config.writing import HERE, portable, write_all


def test_paths_below_the_folder_move_with_it(tmp_path):
    node = dict(a=[f'{tmp_path}/x', str(tmp_path)], b=(1, f'{tmp_path}y'))
    assert portable(node, tmp_path) == dict(
        a=['{{ fileDirname }}/x', '{{ fileDirname }}'], b=(1, f'{tmp_path}y')
    )


def test_all_or_none(tmp_path):
    old, new, listed = (tmp_path / n for n in ('old.py', 'new.py', 'l.txt'))
    old.write_text('before = 1\n')
    seen = []

    def check(path, draft):
        assert listed.read_text() == 'x\n'
        seen.append(path)
        if 'bad' in Config.fromfile(draft):
            raise ValueError('no')

    with pytest.raises(ValueError, match='no'):
        write_all(
            {old: Config(dict(good=1)), new: 'bad = 1\n'},
            {listed: 'x\n'},
            check,
        )
    assert seen == [old, new]
    assert old.read_text() == 'before = 1\n'
    assert [path.name for path in tmp_path.iterdir()] == ['old.py']
    write_all(
        {old: Config(dict(good=1)), new: 'good = 2\n'}, {listed: 'x\n'}, check
    )
    assert Config.fromfile(old).good == 1
    assert Config.fromfile(new).good == 2
    assert {p.name for p in tmp_path.iterdir()} == {
        'old.py',
        'new.py',
        'l.txt',
    }


def test_a_folder_with_an_apostrophe(tmp_path):
    folder = tmp_path / "Ann's"
    cfg = Config(portable(dict(a=f'{folder}/x', b=[str(folder)]), folder))
    configs = {folder / 'a.py': cfg, folder / 'b.py': f'c = {HERE!r}\n'}
    write_all(configs, {}, lambda path, draft: None)
    read = Config.fromfile(folder / 'a.py')
    assert (read.a, read.b) == (f'{folder}/x', [str(folder)])
    assert Config.fromfile(folder / 'b.py').c == str(folder)
