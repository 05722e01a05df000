import pytest

from rml_mmseg.datasets.name_groups import (
    classes_of,
    group_lines,
    group_members,
    group_names,
)


def test_brackets_choose_the_part_that_is_shared():
    names = ['scan_p01_3', 'scan_p02_1']
    wanted = {'scan_p01_3': 'p01', 'scan_p02_1': 'p02'}
    assert group_names(names, '_(p[0-9]+)_') == wanted
    with pytest.raises(ValueError, match="match 1 name, such as 'scan_p02_1'"):
        group_names(names, 'p01')
    # As it was typed, without doubled backslashes.
    with pytest.raises(ValueError, match=r"--group '\^patient\\d' does not"):
        group_names(names, r'^patient\d')
    with pytest.raises(ValueError, match='not a regular expression'):
        group_names(names, '(')


def test_groups_of_one_image_are_told():
    text = group_lines({'a': ['1', '2'], 'b': ['3'], 'c': ['4']}, most=2)
    assert text.startswith('3 groups of 1 to 2 images: a (2), b (1), ...\n')
    assert 'warning: 2 groups have only one image' in text
    assert group_lines({'a': ['1', '2']}) == '1 group of 2 images: a (2)'
    assert group_lines({'a': ['1']}).startswith('1 group of 1 image: a (1)\n')


def test_an_image_of_no_group_is_one_of_its_own():
    members = group_members(['b', 'a', 'c'], {'b': 'x', 'c': 'x'})
    assert members == {'x': ['b', 'c'], 'a': ['a']}
    shown = classes_of(members, {'a': {2}, 'b': {0, 1}, 'c': {1, 3}})
    assert shown == {'x': {0, 1, 3}, 'a': {2}}
