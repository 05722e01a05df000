import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader
from torch.utils.data._utils.pin_memory import pin_memory

from rml_mmseg.datasets.one_buffer_dict import OneBufferDict
from rml_mmseg.datasets.pinned_collate import BatchInTransit, PinnedCollate


class Items(torch.utils.data.Dataset):
    def __init__(self, kind):
        self.kind = kind

    def __len__(self):
        return 4

    def __getitem__(self, n):
        image = torch.full((3, 1, 5), n, dtype=torch.uint8)
        return self.kind(image=image, mask=torch.tensor([n, 300]), name=f'{n}')


@pytest.fixture
def pinned(monkeypatch):
    """List of memory that was pinned, on machines that cannot pin."""
    found = []

    # PyTorch 1.13 also passes the device.
    def pin(tensor, device=None):
        found.append(tensor.clone())
        return found[-1]

    monkeypatch.setattr(torch.Tensor, 'pin_memory', pin)
    return found


def batches(kind):
    return DataLoader(
        Items(kind),
        batch_size=2,
        num_workers=1,
        collate_fn=PinnedCollate(pseudo_collate),
    )


def test_a_batch_is_pinned_in_one_piece(pinned):
    sent = list(batches(OneBufferDict))
    assert [type(batch) for batch in sent] == [BatchInTransit] * 2
    found = pin_memory(sent[1])
    assert type(found) is dict
    assert found['name'] == ['2', '3']
    assert [x.unique().tolist() for x in found['image']] == [[2], [3]]
    assert [x.tolist() for x in found['mask']] == [[2, 300], [3, 300]]
    (memory,) = pinned
    begin = memory.data_ptr()
    for tensor in (*found['image'], *found['mask']):
        assert begin <= tensor.data_ptr() < begin + len(memory)


def test_other_batches_are_left_to_pytorch(pinned):
    batch = next(iter(batches(dict)))
    assert type(batch) is dict
    assert [x.tolist() for x in batch['mask']] == [[0, 300], [1, 300]]
    assert len(pin_memory(batch)['image']) == 2
    assert len(pinned) == 4


def test_a_batch_of_no_worker_is_a_dict_already():
    items = [Items(OneBufferDict)[n] for n in (2, 3)]
    batch = PinnedCollate(pseudo_collate)(items)
    assert batch['name'] == ['2', '3']
    assert [x.tolist() for x in batch['mask']] == [[2, 300], [3, 300]]
