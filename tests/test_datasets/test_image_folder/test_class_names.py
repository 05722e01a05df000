import numpy as np
import pytest

from rml_mmseg.datasets.image_folder.class_names import (
    about_ids_from_one,
    agreed_names,
    names_of_ids,
    read_class_names,
    usable_palette,
)


def test_palette_of_voc():
    palette = usable_palette(None, 20)
    assert palette[:4] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert palette[8] == [64, 0, 0] and palette[15] == [192, 128, 128]


def test_every_class_has_a_colour_of_its_own():
    assert len(np.unique(usable_palette(None, 254), axis=0)) == 254


def test_stored_palette_only_if_it_tells_classes_apart():
    stored = [[1, 2, 3], [4, 5, 6], [1, 2, 3]]
    assert usable_palette(stored, 2) == stored[:2]
    assert usable_palette(stored, 3)[1] == [128, 0, 0]
    assert usable_palette(stored, 4)[1] == [128, 0, 0]


def test_names_of_a_file_that_begins_with_a_byte_order_mark(tmp_path):
    path = tmp_path / 'classes.txt'
    path.write_text('road\ntram\n', 'utf-8-sig')
    assert read_class_names(str(path)) == ('road', 'tram')


def test_names_given_and_found():
    assert agreed_names(None, None) is None
    assert agreed_names(('a', 'b'), None) == ('a', 'b')
    # --classes may replace the names of a colour table.
    assert agreed_names(('a', 'b'), ('c', 'd')) == ('a', 'b')
    with_rest = ('background', 'a', 'b')
    assert agreed_names(('a', 'b'), with_rest) == with_rest
    with pytest.raises(ValueError, match='names 2 classes.* have 3'):
        agreed_names(('a', 'b'), ('c', 'd', 'e'))


def test_names_are_not_asked_for_where_they_are_given():
    """Masks of 0 and 255, of which 255 is ignored."""
    pixels = np.zeros(256, int)
    pixels[[0, 255]] = 3
    with pytest.raises(ValueError, match='--colour-table.*object,255') as no:
        names_of_ids(pixels, ('ground', 'house'))
    assert 'ids [0] (besides 255' in str(no.value)
    assert '--classes' not in str(no.value)
    with pytest.raises(ValueError, match='at least two classes'):
        names_of_ids(pixels)
    pixels[2] = 1
    with pytest.raises(ValueError, match='--classes.*--ignore-index 0.*--col'):
        names_of_ids(pixels)
    pixels[1:3] = 1, 0
    assert names_of_ids(pixels, ('a', 'b', 'c')) == ('a', 'b', 'c')
    assert names_of_ids(pixels) == ('class_0', 'class_1')


@pytest.mark.parametrize(
    ('ids', 'names', 'told'),
    [
        ((0, 1, 2), ('a', 'b', 'c'), ''),
        ((1, 2), ('background', 'b', 'c'), ''),
        ((1, 2), ('Void', 'b', 'c'), ''),
        ((255,), ('a', 'b'), ''),
        # The largest id is too large by more than one.
        ((0, 3), ('a', 'b'), ''),
        ((1, 2), ('a', 'b'), 'no mask holds 0. --ignore-index 0 '),
        ((0, 2, 255), ('a', 'b'), 'own, --classes background,a,...'),
        ((0, 2), ('a', 'b'), 'If 0 is none of them: --ignore-index 0 shifts'),
        ((0, 1), ('a',), 'is the background: --classes background,a'),
        ((1, 2), ('a', 'b', 'c'), 'No mask holds 0, which is a. If the ids'),
    ],
)
def test_ids_that_begin_at_one(ids, names, told):
    pixels = np.zeros(256, int)
    pixels[list(ids)] = 3
    text = about_ids_from_one(pixels, names)
    assert told in text and bool(told) == bool(text)
