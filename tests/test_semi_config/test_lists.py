from pathlib import Path

import pytest

from rml_mmseg.semi_config.lists import ImageLists

BOTH = ImageLists(
    Path('{split}_seed{seed}/labelled.txt'),
    Path('{split}_seed{seed}/unlabelled.txt'),
)
ONE = ImageLists(Path('labelled.txt'), Path('unlabelled.txt'))


def test_files_of_a_run():
    assert BOTH.of(2, '1-8') == (
        Path('1-8_seed2/labelled.txt'),
        Path('1-8_seed2/unlabelled.txt'),
    )
    assert BOTH.follow_runs and not ONE.follow_runs
    assert ONE.of(2, '1-8') == tuple(ONE)


def test_files_of_all_runs():
    found = [pair[1] for pair in BOTH.of_runs([0, 1], ['1-8', '1-4'])]
    assert [str(path.parent) for path in found] == [
        '1-8_seed0', '1-8_seed1', '1-4_seed0', '1-4_seed1',
    ]  # fmt: skip
    # Each pair once, and with one split alone.
    assert ONE.of_runs([0, 1], ['1-8', '1-4']) == [tuple(ONE)]
    assert len(BOTH.of_runs([0, 1], [])) == 2


@pytest.mark.parametrize(
    ('lists', 'splits', 'follow', 'message'),
    [
        (BOTH, ['1-8'], False, '{seed} in --labelled .* needs --suite'),
        (BOTH, [], True, '{split} in --labelled .* needs --splits'),
        (ONE, ['1-8'], True, r"--splits=\['1-8'\] needs {split} in"),
    ],
)
def test_words_that_stand_for_nothing(lists, splits, follow, message):
    with pytest.raises(ValueError, match=message):
        lists.check_words(splits, follow)


def test_missing_files(tmp_path):
    lists = ImageLists(*(tmp_path / path for path in BOTH))
    for seed in (0, 1):
        for path in lists.of(seed, '1-8'):
            path.parent.mkdir(exist_ok=True)
            path.write_text('a\n')
    lists.check_words(['1-8'], follow=True)
    lists.check_files([0, 1], ['1-8'])
    with pytest.raises(FileNotFoundError, match='1-8_seed2/labelled.txt.*2'):
        lists.check_files([0, 1, 2], ['1-8'])
    lists.of(1, '1-8')[1].unlink()
    with pytest.raises(FileNotFoundError, match='1-8_seed1/unlabelled.txt'):
        lists.check_files([0, 1], ['1-8'])
