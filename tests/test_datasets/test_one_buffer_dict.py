import copy
import pickle

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch.utils.data import DataLoader

from rml_mmseg.datasets.one_buffer_dict import OneBufferDict

DTYPES = (
    torch.uint8,
    torch.bool,
    torch.int64,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
)


def item(n=0):
    mask = torch.arange(6).view(1, 2, 3) + n
    sample = SegDataSample(metainfo=dict(img_path=f'{n}.png'))
    sample.gt_sem_seg = PixelData(data=mask)
    return OneBufferDict(
        labelled=dict(inputs=torch.full((3, 2, 3), n), data_samples=sample),
        unlabelled=[
            dict(
                inputs=dict(
                    weak=torch.full((3, 1, 5), n, dtype=torch.uint8),
                    strong=[torch.rand(3, 1, 5) for _ in range(2)],
                )
            )
        ],
    )


class Items(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return item(index)


def tensors_of(batch):
    (part,) = batch['unlabelled']
    return [
        *batch['labelled']['inputs'],
        *(s.gt_sem_seg.data for s in batch['labelled']['data_samples']),
        *part['inputs']['weak'],
        *(view for views in part['inputs']['strong'] for view in views),
    ]


def storages(tensors):
    # PyTorch 1.13 has no untyped_storage.
    return {
        getattr(tensor, 'untyped_storage', tensor.storage)().data_ptr()
        for tensor in tensors
    }


def test_what_comes_back_is_what_was_sent():
    sent = item(3)
    found = pickle.loads(pickle.dumps(sent))
    assert type(found) is dict
    assert list(found) == list(sent)
    assert torch.equal(found['labelled']['inputs'], sent['labelled']['inputs'])
    sample = found['labelled']['data_samples']
    assert sample.img_path == '3.png'
    assert sample.gt_sem_seg.data.flatten().tolist() == [3, 4, 5, 6, 7, 8]
    for key in (0, 1):
        assert torch.equal(
            found['unlabelled'][0]['inputs']['strong'][key],
            sent['unlabelled'][0]['inputs']['strong'][key],
        )


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('shape', [(), (0,), (5,), (3, 0, 2), (3, 7)])
def test_every_type_and_shape(dtype, shape):
    values = torch.randint(0, 2, shape).to(dtype)
    sent = OneBufferDict(odd=torch.ones(3, dtype=torch.uint8), values=values)
    found = pickle.loads(pickle.dumps(sent))['values']
    assert found.dtype == dtype
    assert found.shape == values.shape
    assert torch.equal(found, values)


def test_strided_tensors_arrive_contiguous():
    image = torch.arange(24).view(2, 3, 4).permute(2, 0, 1)
    found = pickle.loads(pickle.dumps(OneBufferDict(image=image)))['image']
    assert torch.equal(found, image)
    assert found.is_contiguous()


def test_tensors_do_not_overlap():
    found = copy.deepcopy(OneBufferDict(a=torch.zeros(3), b=torch.ones(3)))
    found['a'].fill_(7)
    assert found['b'].tolist() == [1, 1, 1]


@pytest.mark.parametrize('workers', [0, 1])
def test_a_batch_comes_from_a_worker_in_one_piece(workers):
    loader = DataLoader(
        Items(),
        batch_size=2,
        num_workers=workers,
        collate_fn=pseudo_collate,
    )
    for number, batch in enumerate(loader):
        tensors = tensors_of(batch)
        assert len(tensors) == 10
        assert len(storages(tensors)) == (1 if workers else 10)
        values = [image.unique().tolist() for image in tensors[:2]]
        assert values == [[2 * number], [2 * number + 1]]


def test_what_needs_gradients_is_sent_as_ever():
    weight = torch.ones(2, requires_grad=True)
    found = pickle.loads(pickle.dumps(OneBufferDict(weight=weight)))
    assert found['weight'].requires_grad
    assert found['weight'].tolist() == [1, 1]
