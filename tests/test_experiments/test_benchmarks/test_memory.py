import mmap

import torch
from torch import nn

from rml_mmseg.experiments.benchmarks import peak_extra_bytes, resident_bytes
from rml_mmseg.experiments.benchmarks.saved_bytes import saved_bytes

MB = 2**20


def floats(megabytes):
    return torch.ones(megabytes * MB // 4)


def test_peak_is_what_lives_at_one_time():
    def apart():
        for _ in range(4):
            floats(2)

    def together():
        return [floats(2) for _ in range(4)]

    assert peak_extra_bytes(apart) == 2 * MB
    assert peak_extra_bytes(together) == 8 * MB


def test_resident_memory_follows_what_is_kept():
    # New pages: an allocator might reuse memory that is already resident.
    with mmap.mmap(-1, 256 * MB) as kept:
        before = resident_bytes()
        for _ in range(256):
            kept.write(bytes(MB))
        # Other pages of a large process may come and go in the meantime.
        assert 128 * MB < resident_bytes() - before < 512 * MB


def test_saved_bytes_are_those_of_the_inputs_of_squares():
    network = nn.Linear(8, 4, bias=False).to('meta')
    batch = torch.empty(16, 8, device='meta')

    def forward():
        hidden = network(batch)
        # The product saves its input twice, in one storage.
        return hidden * hidden

    # The batch for the weights' gradient, and the hidden values.
    assert saved_bytes(forward, network) == (16 * 8 + 16 * 4) * 4
