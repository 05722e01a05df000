import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rml_mmseg.datasets.label_downsample import majority_downsample


def _one(block, **kwargs):
    label = np.array(block, dtype=np.uint8)
    result = majority_downsample(label, len(block), **kwargs)
    assert result.shape == (1, 1) and result.dtype == np.uint8
    return int(result[0, 0])


@pytest.mark.parametrize(
    'block, expected',
    [
        ([[3, 3], [3, 7]], 3),
        ([[7, 3], [3, 3]], 3),
        # A tie goes to the first in reading order, not to the smaller id.
        ([[7, 3], [3, 7]], 7),
        ([[5, 4], [3, 2]], 5),
        # Ignored pixels have no vote, be they the majority.
        ([[255, 255], [255, 2]], 2),
        ([[255, 9], [4, 255]], 9),
        ([[255, 255], [255, 255]], 255),
        ([[255, 6], [1, 1]], 1),
        ([[1, 1, 2], [2, 3, 2], [2, 1, 1]], 1),
        ([[2, 1, 1], [1, 3, 2], [2, 2, 2]], 2),
    ],
)
def test_one_block(block, expected):
    assert _one(block) == expected


def test_another_ignore_index():
    assert _one([[0, 0], [0, 5]], ignore_index=0) == 5
    assert _one([[255, 255], [5, 0]], ignore_index=0) == 255


def test_blocks_keep_their_places():
    label = np.array(
        [
            [1, 1, 2, 2, 0, 9],
            [1, 4, 2, 8, 9, 9],
            [5, 6, 255, 255, 7, 7],
            [6, 6, 255, 255, 7, 0],
        ],
        dtype=np.uint8,
    )
    expected = [[1, 2, 9], [6, 255, 7]]
    assert majority_downsample(label, 2).tolist() == expected


@given(
    arrays(np.uint8, (6, 12), elements=st.sampled_from([0, 1, 2, 255])),
    st.sampled_from([1, 2, 3, 6]),
)
@settings(max_examples=60, deadline=None)
def test_winner_has_most_votes(label, factor):
    result = majority_downsample(label, factor)
    for y in range(6 // factor):
        for x in range(12 // factor):
            block = label[
                y * factor : (y + 1) * factor, x * factor : (x + 1) * factor
            ]
            votes = {i: int((block == i).sum()) for i in (0, 1, 2)}
            if result[y, x] == 255:
                assert not any(votes.values())
            else:
                assert votes[int(result[y, x])] == max(votes.values()) > 0


@pytest.mark.parametrize(
    'label, factor, message',
    [
        (np.zeros((4, 6), np.uint8), 4, 'factor=4, but are 4 and 6'),
        (np.zeros((4, 4), np.uint8), 0, 'factor must be at least 1'),
        (np.zeros((4, 4), np.float32), 2, 'array of integers'),
        (np.zeros((4, 4, 3), np.uint8), 2, r'shape \(4, 4, 3\)'),
    ],
)
def test_bad_input_is_named(label, factor, message):
    with pytest.raises(ValueError, match=message):
        majority_downsample(label, factor)
