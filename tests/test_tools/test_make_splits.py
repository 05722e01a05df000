import json
import re

import numpy as np
import pytest
from PIL import Image

from rml_mmseg.datasets import splits
from tests.toys import shared_split
from tools.dataset_converters import make_splits


def test_examples_of_the_help_keep_their_lines(capsys):
    with pytest.raises(SystemExit, match='0'):
        make_splits.parse_args(['--help'])
    lines = capsys.readouterr().out.splitlines()
    assert '    python tools/dataset_converters/make_splits.py \\' in lines


NAMES = [f'frame_{index:03d}' for index in range(20)]


def test_patients_are_kept_together(tmp_path, capsys):
    names = [f'p{p}_{s}' for p in range(8) for s in range(p % 3 + 1)]
    pool, out = tmp_path / 'names.txt', tmp_path / 'out'
    pool.write_text(splits.list_text(names))
    arguments = ['--names', str(pool), '--group', '^[^_]+', '--out', str(out)]
    draw = [*arguments, '--seed', '3', '--count', '2', '--held-out', '1']
    assert make_splits.main(draw) == 0
    order = splits.seeded_order([f'p{p}' for p in range(8)], 3)
    for title, own in (
        ('labelled', order[:2]),
        ('unlabelled', order[2:7]),
        ('held_out', order[7:]),
    ):
        found = (out / f'{title}.txt').read_text().split()
        assert found == [
            name for p in own for name in names if name.startswith(p)
        ]
    record = json.loads((out / 'provenance.json').read_text())
    assert record['group'] == '^[^_]+'
    assert record['groups'] == dict(labelled=2, unlabelled=5, held_out=1)
    # Another image of a patient for training.
    (tmp_path / 'val.txt').write_text(f'{order[0]}_9\n')
    draw += ['--val', str(tmp_path / 'val.txt'), '--force']
    assert make_splits.main(draw) == 2
    assert 'training and validation share 1 groups' in capsys.readouterr().err


@pytest.mark.parametrize('seed', range(4))
def test_images_without_a_mask_are_unlabelled(tmp_path, capsys, seed):
    names = [f'p{p}_{s}' for p in range(8) for s in range(2)]
    masks = tmp_path / 'masks'
    masks.mkdir()
    # Four patients have masks, one of them not for all images.
    masked = [name for name in names if name < 'p4' and name != 'p1_1']
    for name in masked:
        Image.new('L', (2, 2)).save(masks / f'{name}.png')
    pool, out = tmp_path / 'names.txt', tmp_path / 'out'
    pool.write_text(splits.list_text(names))
    draw = ['--names', str(pool), '--masks', str(masks), '--seed', str(seed)]
    draw += ['--group', '^[^_]+', '--out', str(out)]
    assert make_splits.main([*draw, '--count', '3', '--held-out', '1']) == 0
    found = {
        title: (out / f'{title}.txt').read_text().split()
        for title in ('labelled', 'unlabelled', 'held_out')
    }
    held = found['held_out'][0][:2]
    # One of the two images of p1 has a mask, and both of the others'.
    told = f'held out: {held}; {int(held == "p1")} images of these have no'
    assert told in capsys.readouterr().out
    assert sorted(found['labelled'] + found['held_out']) == masked
    rest = [n for n in names if n not in masked and not n.startswith(held)]
    assert found['unlabelled'] == rest
    record = json.loads((out / 'provenance.json').read_text())
    assert record['with_mask'] == 7
    assert make_splits.main([*draw, '--count', '5', '--force']) == 2
    assert 'between 1 and 4 of 4 groups, got 5' in capsys.readouterr().err
    draw += ['--mask-suffix', '_x.png', '--force', '--count', '1']
    assert make_splits.main(draw) == 2
    assert 'Check --mask-suffix' in capsys.readouterr().err


def test_every_class_has_a_labelled_patient(tmp_path):
    names = [f'p{p}_{s}' for p in range(6) for s in range(2)]
    masks = tmp_path / 'masks'
    masks.mkdir()
    for name in names:
        mask = np.full((2, 2), 5 if name == 'p4_1' else 0, np.uint8)
        Image.fromarray(mask).save(masks / f'{name}.png')
    (tmp_path / 'names.txt').write_text(splits.list_text(names))
    for seed in range(4):
        out = tmp_path / str(seed)
        assert not make_splits.main(
            [
                *(
                    '--names',
                    str(tmp_path / 'names.txt'),
                    '--group',
                    '^p[0-9]',
                ),
                *('--stratify', '--masks', str(masks), '--count', '1'),
                *('--seed', str(seed), '--out', str(out)),
            ]
        )
        assert (out / 'labelled.txt').read_text().split() == ['p4_0', 'p4_1']


def test_cityscapes_splits_are_the_published_ones(capsys):
    path = shared_split('cityscapes_train_names.txt')
    names = path.read_text().split()
    order = splits.seeded_order(names, 23456)
    assert order[0] == 'hanover_000000_029043'
    assert make_splits.main(['--check-cityscapes', str(path)]) == 0
    assert capsys.readouterr().out.count(' same') == 15


def test_check_cityscapes_tells_of_other_names(tmp_path, capsys):
    path = tmp_path / 'names.txt'
    path.write_text(splits.list_text(f'a_{i:04d}' for i in range(2975)))
    assert make_splits.main(['--check-cityscapes', str(path)]) == 1
    assert 'DIFFERENT' in capsys.readouterr().out


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / 'images'
    folder.mkdir()
    for name in NAMES:
        (folder / f'{name}.jpg').touch()
    return folder


def test_tool_draws_a_split(images, tmp_path, capsys):
    out = tmp_path / 'out'
    arguments = ['--images', str(images), '--ratio', '1/8', '--out', str(out)]
    assert make_splits.main([*arguments, '--seed', '3']) == 0
    order = splits.seeded_order(NAMES, 3)
    assert (out / 'labelled.txt').read_text().split() == order[:3]
    assert (out / 'unlabelled.txt').read_text().split() == order[3:]
    record = json.loads((out / 'provenance.json').read_text())
    assert (record['seed'], record['labelled']) == (3, '1/8')
    assert (record['source'], record['source_count']) == (str(images), 20)
    assert make_splits.main([*arguments, '--seed', '4']) == 2
    assert 'holds another list' in capsys.readouterr().err


def test_tool_holds_images_out(images, tmp_path, capsys):
    out = tmp_path / 'out'
    arguments = ['--images', str(images), '--seed', '3', '--held-out', '2']
    order = splits.seeded_order(NAMES, 3)
    eighth = [*arguments, '--ratio', '1/8', '--out', str(out)]
    assert make_splits.main(eighth) == 0
    assert (out / 'labelled.txt').read_text().split() == order[:3]
    assert (out / 'unlabelled.txt').read_text().split() == order[3:18]
    assert (out / 'held_out.txt').read_text().split() == order[18:]
    record = json.loads((out / 'provenance.json').read_text())
    assert record['lists']['held_out.txt']['count'] == 2
    assert record['rule'].endswith('come first, the held-out ones last')
    rest = tmp_path / 'rest'
    all_others = [*arguments, '--count', '18', '--out', str(rest)]
    assert make_splits.main(all_others) == 2
    assert 'unlabelled: no image name' in capsys.readouterr().err
    assert make_splits.main([*all_others, '--labelled-only']) == 0
    assert {path.name for path in rest.iterdir()} == {
        'labelled.txt',
        'held_out.txt',
        'provenance.json',
    }
    assert (rest / 'labelled.txt').read_text().split() == order[:18]


@pytest.fixture
def pooled(tmp_path):
    """Function that draws from six names, with a pool that shares some."""
    names, pool = tmp_path / 'train.txt', tmp_path / 'train_aug.txt'
    names.write_text(splits.list_text(NAMES[:6]))
    pool.write_text(splits.list_text([*NAMES[10:14], *NAMES[3:0:-1], 'x']))
    given = ['--names', str(names), '--unlabelled-names', str(pool)]
    given += ['--seed', '3', '--out', str(tmp_path / 'out')]

    def run(*more):
        status = make_splits.main([*given, *more])
        return status, {
            path.stem: path.read_text().split()
            for path in (tmp_path / 'out').glob('*.txt')
        }

    return run


def test_all_others_of_a_pool_are_unlabelled(pooled, tmp_path, capsys):
    order = splits.seeded_order(NAMES[:6], 3)
    pool = (tmp_path / 'train_aug.txt').read_text().split()
    status, lists = pooled('--count', '2', '--held-out', '1')
    assert status == 0 and lists['labelled'] == order[:2]
    taken = [*order[:2], *order[5:]]
    assert lists['unlabelled'] == [n for n in pool if n not in taken]
    told = capsys.readouterr().out
    among = len(set(order[:2]) & set(pool))
    assert f'{among} of 2 labelled images are in' in told
    left_out = len(set(order[2:5]) - set(pool))
    assert left_out and f'{left_out} others are not in' in told
    record = json.loads((tmp_path / 'out/provenance.json').read_text())
    assert record['unlabelled_source'] == str(tmp_path / 'train_aug.txt')
    assert record['unlabelled_source_count'] == 8
    # The labels are those without a pool, and all of them may be labelled.
    status, lists = pooled('--count', '6', '--force')
    assert status == 0 and lists['labelled'] == order
    assert lists['unlabelled'] == [*NAMES[10:14], 'x']
    status, lists = pooled(
        '--count', '2', '--unlabelled-includes-labelled', '--force'
    )
    others = [n for n in pool if n not in order[:2]]
    assert lists['unlabelled'] == order[:2] + others


def test_a_pool_keeps_patients_apart(tmp_path):
    names, pool, out = (tmp_path / name for name in ('n', 'p', 'out'))
    names.write_text(splits.list_text(f'p{p}_0' for p in range(4)))
    pool.write_text(splits.list_text(f'p{p}_1' for p in range(6)))
    assert not make_splits.main(
        [
            *('--names', str(names), '--unlabelled-names', str(pool)),
            *('--group', '^[^_]+', '--seed', '0', '--out', str(out)),
            *('--count', '1', '--held-out', '2'),
        ]
    )
    held_out = {n[:2] for n in (out / 'held_out.txt').read_text().split()}
    rest = (out / 'unlabelled.txt').read_text().split()
    assert rest == [f'p{p}_1' for p in range(6) if f'p{p}' not in held_out]
    assert len(rest) == 4


def test_a_share_of_more_than_have_masks(tmp_path, capsys):
    names, masks = tmp_path / 'names.txt', tmp_path / 'masks'
    names.write_text(splits.list_text(NAMES[:6]))
    masks.mkdir()
    for name in NAMES[:4]:
        Image.new('L', (2, 2)).save(masks / f'{name}.png')
    arguments = ['--names', str(names), '--masks', str(masks), '--seed', '0']
    arguments += ['--ratio', '1/2', '--out', str(tmp_path / 'out')]
    assert make_splits.main([*arguments, '--held-out', '2']) == 2
    told = capsys.readouterr().err
    assert '--ratio 1/2 of all 6 images labels 3, but of 4 ' in told
    assert make_splits.main([*arguments, '--held-out', '1']) == 0


@pytest.mark.parametrize(
    ('pool', 'more', 'message'),
    [
        ('frame_001', [], 'all 1 images of .* are labelled or held out'),
        ('x\nx', [], "'x' is listed twice"),
        ('', [], 'no image name found'),
        ('x', ['--labelled-only'], 'Leave out --labelled-only'),
        ('x\nv', ['--val', 'v'], 'unlabelled and validation share 1 images'),
    ],
)
def test_what_a_pool_cannot_be(
    pooled, tmp_path, capsys, monkeypatch, pool, more, message
):
    (tmp_path / 'train_aug.txt').write_text(f'{pool}\n')
    (tmp_path / 'v').write_text('v\n')
    monkeypatch.chdir(tmp_path)
    status, lists = pooled('--count', '6', *more)
    assert status == 2 and not lists
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ('own', 'others', 'same'),
    [
        ('a', 'img/a.jpg', True),
        ('img/a.png', 'a', True),
        ('b/0001', 'c/0001', False),
        ('a', 'ba', False),
    ],
)
def test_labels_do_not_hide_behind_another_form(
    tmp_path, capsys, own, others, same
):
    (tmp_path / 'n').write_text(f'{own}\n')
    (tmp_path / 'p').write_text(f'{others}\nz\n')
    status = make_splits.main(
        [
            *('--names', str(tmp_path / 'n'), '--count', '1'),
            *('--unlabelled-names', str(tmp_path / 'p'), '--seed', '0'),
            *('--out', str(tmp_path / 'out')),
        ]
    )
    assert status == (2 if same else 0)
    assert ('names of' in capsys.readouterr().err) == same


def test_a_pool_beside_a_published_list(tmp_path, capsys):
    for name, text in (('l', 'a'), ('u', 'b'), ('p', 'a\nb\nc')):
        (tmp_path / name).write_text(f'{text}\n')
    arguments = ['--labelled-list', str(tmp_path / 'l'), '--unlabelled-names']
    arguments += [str(tmp_path / 'p'), '--out', str(tmp_path / 'out')]
    assert make_splits.main(arguments) == 0
    assert (tmp_path / 'out/unlabelled.txt').read_text() == 'b\nc\n'
    arguments += ['--unlabelled-list', str(tmp_path / 'u')]
    assert make_splits.main(arguments) == 2
    assert 'Leave out --unlabelled-list' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        (['--ratio', '1/4'], '--seed and --permutation'),
        (['--seed', '0'], '--ratio or --count'),
        (['--seed', '0', '--count', '20'], 'between 1 and 19'),
        (['--seed', '0', '--count', '0'], 'between 1 and 19'),
        (['--seed', '0', '--count', '2', '--stratify'], '--masks'),
        (['--seed', '0', '--count', '2', '--names', 'x'], 'give one of'),
    ],
)
def test_tool_refuses_and_writes_nothing(
    images, tmp_path, capsys, extra, message
):
    out = tmp_path / 'out'
    status = make_splits.main(
        ['--images', str(images), '--out', str(out), *extra]
    )
    assert status == 2 and not out.exists()
    assert message in capsys.readouterr().err


def test_tool_refuses_overlap_with_validation(images, tmp_path, capsys):
    val = tmp_path / 'val.txt'
    val.write_text('frame_007\nother\n')
    arguments = ['--images', str(images), '--count', '2', '--seed', '0']
    arguments += ['--out', str(tmp_path / 'out'), '--val', str(val)]
    for extra in ([], ['--unlabelled-includes-labelled']):
        assert make_splits.main([*arguments, *extra]) == 2
        assert 'frame_007' in capsys.readouterr().err
    val.write_text('other\n')
    assert make_splits.main(arguments) == 0


def test_tool_converts_the_lists_of_a_peer(tmp_path, capsys):
    labelled, unlabelled = tmp_path / 'l.txt', tmp_path / 'u.txt'
    labelled.write_text('JPEGImages/a.jpg SegmentationClass/a.png\n')
    unlabelled.write_text('JPEGImages/b.jpg SegmentationClass/b.png\n')
    out = tmp_path / 'out'
    arguments = ['--labelled-list', str(labelled), '--unlabelled-list']
    arguments += [str(unlabelled), '--img-prefix', 'JPEGImages']
    arguments += ['--out', str(out)]
    assert make_splits.main(arguments) == 0
    assert (out / 'labelled.txt').read_text() == 'a\n'
    assert (out / 'unlabelled.txt').read_text() == 'b\n'
    unlabelled.write_text('JPEGImages/a.jpg SegmentationClass/a.png\n')
    assert make_splits.main([*arguments, '--force']) == 2
    assert 'share 1 images' in capsys.readouterr().err


def test_tool_stratifies_by_the_masks(images, tmp_path, capsys):
    masks = tmp_path / 'masks'
    masks.mkdir()
    for index, name in enumerate(NAMES):
        mask = np.zeros((4, 4), np.uint8)
        mask[0, 0] = 255
        if index in (5, 11):
            mask[1] = index
        image = Image.fromarray(mask, mode='P')
        image.putpalette([7] * 768)  # colours that hide the indices
        image.save(masks / f'{name}.png')
    out = tmp_path / 'out'
    arguments = ['--images', str(images), '--seed', '0', '--stratify']
    arguments += ['--masks', str(masks), '--out', str(out)]
    assert make_splits.main([*arguments, '--count', '2']) == 0
    labelled = (out / 'labelled.txt').read_text().split()
    assert sorted(labelled) == ['frame_005', 'frame_011']
    assert make_splits.main([*arguments, '--count', '1', '--force']) == 0
    missing = 11 if labelled[0] == 'frame_005' else 5
    assert f'classes [{missing}]' in capsys.readouterr().out


def test_tool_writes_the_labelled_list_alone(images, tmp_path):
    out = tmp_path / 'out'
    arguments = ['--images', str(images), '--count', '2', '--seed', '0']
    arguments += ['--out', str(out), '--labelled-only']
    assert make_splits.main(arguments) == 0
    assert not (out / 'unlabelled.txt').exists()


def test_tool_puts_city_folders_before_bare_names(tmp_path):
    names = tmp_path / 'names.txt'
    names.write_text('ulm_000001_000019\nbochum_000000_021070\n')
    out = tmp_path / 'out'
    arguments = ['--names', str(names), '--count', '1', '--seed', '0']
    assert (
        make_splits.main([*arguments, '--city-folders', '--out', str(out)])
        == 0
    )
    listed = [
        (out / f'{title}.txt').read_text()
        for title in ('labelled', 'unlabelled')
    ]
    assert sorted(listed) == [
        'bochum/bochum_000000_021070\n',
        'ulm/ulm_000001_000019\n',
    ]
