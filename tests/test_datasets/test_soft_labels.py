import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rml_mmseg.datasets.soft_labels import (
    DROP,
    STEP,
    TOP_K,
    SoftLabelStore,
    decode,
    encode,
    fingerprint,
)

_LAW = settings(deadline=None, max_examples=40)


def _logits(seed, classes=8, scale=3.0):
    draw = torch.Generator().manual_seed(seed)
    return scale * torch.randn(classes, 3, 4, generator=draw)


class TestCoding:
    def test_by_hand(self):
        logits = torch.tensor([1.0, 4.0, 3.5, -9.0]).view(4, 1, 1)
        arrays = encode(logits, top_k=3)
        assert arrays['classes'].flatten().tolist() == [1, 2, 0]
        assert arrays['gaps'].flatten().tolist() == [0, 6, 36]
        assert all(arrays[k].dtype == np.uint8 for k in ('classes', 'gaps'))
        found = decode(arrays).flatten().tolist()
        assert found == pytest.approx([-3, 0, -0.5, -3 - DROP], abs=2e-3)

    @_LAW
    @given(
        seed=st.integers(0, 2**16),
        classes=st.integers(2, 40),
        scale=st.floats(0.1, 4),
    )
    def test_labels_survive_and_probabilities_nearly(
        self, seed, classes, scale
    ):
        logits = _logits(seed, classes, scale)
        found = decode(encode(logits)).float()
        top = logits.max(0, keepdim=True)
        assert torch.equal(found.gather(0, top.indices), torch.zeros(1, 3, 4))
        kept = logits.topk(min(TOP_K, classes), dim=0).indices
        exact = (logits - top.values).gather(0, kept).clamp(min=-255 * STEP)
        error = (found.gather(0, kept) - exact).abs().max()
        assert float(error) <= STEP / 2 + 0.02

    def test_a_large_gap_is_cut_off(self):
        logits = torch.tensor([0.0, 1000.0]).view(2, 1, 1)
        found = decode(encode(logits)).float().flatten().tolist()
        assert found == pytest.approx([-255 * STEP, 0.0], abs=0.02)

    def test_fewer_classes_than_are_kept(self):
        arrays = encode(_logits(0, classes=3))
        assert arrays['classes'].shape == (3, 3, 4)
        assert decode(arrays).shape == (3, 3, 4)


class TestFingerprint:
    def test_depends_on_every_value_and_name(self):
        state = dict(a=torch.zeros(3), b=torch.ones(2, dtype=torch.long))
        first = fingerprint(state)
        assert fingerprint(dict(reversed(state.items()))) == first
        assert (
            fingerprint({**state, 'a': torch.tensor([0, 0, 1e-30])}) != first
        )
        assert fingerprint(dict(a=state['a'], c=state['b'])) != first
        extra = {'norm._extra_state': dict(version=1)}
        assert fingerprint({**state, **extra}) == first


class TestStore:
    def _store(self, tmp_path, maker='me'):
        return SoftLabelStore(str(tmp_path / 'soft'), maker)

    def test_what_was_written_is_read(self, tmp_path):
        store = self._store(tmp_path)
        logits = [_logits(0), _logits(1, classes=4)]
        assert not store.holds('a.png')
        store.write('a.png', logits)
        assert store.holds('a.png')
        assert not store.holds('b.png')
        for found, own in zip(store.read('a.png'), logits):
            assert torch.equal(found, decode(encode(own)))
        reader = self._store(tmp_path, None)
        assert len(reader.read('a.png')) == 2

    def test_labels_of_other_teachers_count_as_absent(self, tmp_path):
        self._store(tmp_path).write('a.png', [_logits(0)])
        other = self._store(tmp_path, 'other')
        assert not other.holds('a.png')
        with pytest.raises(RuntimeError, match='other teachers.*Resume'):
            other.read('a.png')

    @pytest.mark.parametrize('part', [0, 10, 0.5, 0.95])
    def test_cut_file_counts_as_absent(self, tmp_path, part):
        store = self._store(tmp_path)
        store.write('a.png', [_logits(0)])
        path = store.file_of('a.png')
        with open(path, 'rb') as file:
            data = file.read()
        size = part if part in (0, 10) else int(part * len(data))
        with open(path, 'wb') as file:
            file.write(data[:size])
        assert not store.holds('a.png')
        store.write('a.png', [_logits(0)])
        assert store.holds('a.png')

    def test_flipped_bits_are_found(self, tmp_path):
        store = self._store(tmp_path)
        store.write('a.png', [_logits(0)])
        path = store.file_of('a.png')
        with open(path, 'rb') as file:
            data = bytearray(file.read())
        place = data.index(b'0.gaps.npy') + 60
        data[place] ^= 0xFF
        with open(path, 'wb') as file:
            file.write(data)
        assert not store.holds('a.png')

    def test_no_half_written_file_is_left(self, tmp_path):
        store = self._store(tmp_path)
        store.write('a.png', [_logits(0)])
        names = [path.name for path in (tmp_path / 'soft').iterdir()]
        assert names == [store.file_of('a.png').split('/')[-1]]

    def test_images_have_files_of_their_own(self, tmp_path):
        store = self._store(tmp_path)
        files = {store.file_of(f'{i}/a.png') for i in range(50)}
        assert len(files) == 50
