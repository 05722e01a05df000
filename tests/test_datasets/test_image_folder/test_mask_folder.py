import numpy as np
import pytest
from PIL import Image

from rml_mmseg.datasets.colour_table import read_colour_table
from rml_mmseg.datasets.image_folder import MaskFolder


def palette_mask(path, array, colours):
    image = Image.fromarray(np.array(array, np.uint8), 'P')
    image.putpalette([c for colour in colours for c in colour])
    image.save(path)


def test_palette_is_taken_from_the_first_mask(tmp_path):
    colours = [(9, 8, 7), (6, 5, 4), (3, 2, 1)]
    palette_mask(tmp_path / 'a.png', [[0, 1, 2]], colours)
    found = MaskFolder(tmp_path, ['a'])
    assert found.palette[:3] == [list(colour) for colour in colours]
    assert found.read('a').tolist() == [[0, 1, 2]]
    # A palette image must be decoded, so it cannot be copied.
    assert found.ready('a') is None
    moved = MaskFolder(tmp_path, ['a'], ignore_index=0)
    assert moved.palette[:2] == [[6, 5, 4], [3, 2, 1]]
    assert moved.read('a').tolist() == [[255, 0, 1]]


@pytest.mark.parametrize('ids', [(0, 1, 2), ('', '', '')])
def test_colours_of_which_0_is_ignored(tmp_path, ids):
    path = tmp_path / 'table.csv'
    void, a, b = ids
    path.write_text(
        f'name,r,g,b,id\nvoid,0,0,0,{void}\na,9,9,9,{a}\nb,0,0,9,{b}\n'
    )
    image = np.array([[[0, 0, 0], [0, 0, 9], [9, 9, 9]]], np.uint8)
    Image.fromarray(image).save(tmp_path / 'm.png')
    table = read_colour_table(path, 0)
    found = MaskFolder(tmp_path, ['m'], table=table, ignore_index=0)
    assert found.classes == ('a', 'b')
    assert found.palette == [[9, 9, 9], [0, 0, 9]]
    assert found.read('m').tolist() == [[255, 1, 0]]


def test_grey_mask_is_ready(tmp_path):
    path = tmp_path / 'a_mask.png'
    Image.fromarray(np.array([[0, 1, 5]], np.uint8)).save(path)
    found = MaskFolder(tmp_path, ['a'], '_mask')
    assert found.ready('a') == path and found.palette is None
    other = MaskFolder(tmp_path, ['a'], '_mask', ignore_index=5)
    assert other.ready('a') is None
    assert other.read('a').tolist() == [[0, 1, 255]]
    assert MaskFolder(tmp_path, ['a_mask'], '').orphans == []


def test_no_mask_of_an_image(tmp_path):
    Image.new('L', (2, 2)).save(tmp_path / 'b.png')
    Image.new('L', (2, 2)).save(tmp_path / 'a.jpg')
    with pytest.raises(
        ValueError, match=r'such as a_m\.png; 0 of the 2 files'
    ) as no:
        MaskFolder(tmp_path, ['a'], '_m')
    assert "and '_m'" in str(no.value)
    assert 'files could be masks (.png, .bmp' in str(no.value)


def test_a_jpeg_among_the_masks(tmp_path):
    for name in ('a_m.png', 'b_m.jpg', 'a_m.jpg', 'c_m.jpg'):
        Image.new('L', (2, 2)).save(tmp_path / name)
    found = MaskFolder(tmp_path, ['a', 'b'], '_m')
    assert found.read('a').tolist() == [[0, 0]] * 2
    with pytest.raises(ValueError, match=r'b_m\.jpg cannot be .* as PNG'):
        found.read('b')


def test_masks_in_other_sub_folders_than_their_images(tmp_path):
    Image.new('L', (2, 2)).save(tmp_path / 'a_m.png')
    with pytest.raises(ValueError, match='in the same sub-folders') as no:
        MaskFolder(tmp_path, ['site/a', 'site/b'], '_m')
    found, wanted = tmp_path / 'a_m.png', tmp_path / 'site/a_m.png'
    told = f'that of site/a is {found}, but should be {wanted}'
    assert told in str(no.value)
    # The mask in the wrong sub-folder, and one with another name.
    (tmp_path / 'site').mkdir()
    found.rename(wanted)
    with pytest.raises(ValueError, match=f'should be {found}$'):
        MaskFolder(tmp_path, ['a'], '_m')
    with pytest.raises(ValueError, match='Check --masks and --mask-ending'):
        MaskFolder(tmp_path, ['c'], '_m')


def test_orphans(tmp_path):
    for name in 'ab':
        Image.new('L', (2, 2)).save(tmp_path / f'{name}.png')
    assert MaskFolder(tmp_path, ['a']).orphans == [str(tmp_path / 'b.png')]
