import csv
from dataclasses import replace

import pytest
import torch

from rml_mmseg.datasets.mnist import Mnist
from tools.analysis_tools import coupling_mnist as tool

SETTINGS = tool.Settings(
    iterations=60,
    labelled=20,
    batch=16,
    hidden=16,
    warm_up=5,
    interval=20,
    ema_momentum=0.9,
    measured=200,
)


@pytest.fixture(scope='module')
def data():
    """Three Gaussian classes in 12 dimensions, close enough to dispute."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(3, 12, generator=generator)
    parts = []
    for count in (600, 200):
        labels = torch.randint(3, (count,), generator=generator)
        noise = torch.randn(count, 12, generator=generator)
        parts += [centres[labels] + noise, labels]
    return Mnist(*parts)


def test_run_is_the_same_again_and_another_for_another_seed(data):
    for mode in tool.MODES:
        rows = tool.run(mode, 0, data, SETTINGS)
        assert rows == tool.run(mode, 0, data, SETTINGS)
        other = tool.run(mode, 1, data, SETTINGS)
        assert [r[3] for r in rows] != [r[3] for r in other]
        assert [r[2] for r in rows] == [0, 20, 40, 60]


def test_modes_share_their_start_and_then_part(data):
    starts, ends = zip(
        *(
            (rows[0][3:], rows[-1][3:])
            for rows in (tool.run(m, 0, data, SETTINGS) for m in tool.MODES)
        )
    )
    assert starts[0] == starts[1] == starts[2] and starts[0][0] > 0.05
    assert len(set(ends)) == 3


def test_direct_learners_couple_and_labels_are_learnt(data):
    alone = replace(SETTINGS, unsup_weight=0.0)
    coupled = replace(SETTINGS, unsup_weight=1.0)
    for seed in (0, 1, 2):
        first, *_, last = tool.run('direct', seed, data, coupled)
        apart = tool.run('direct', seed, data, alone)[-1]
        assert last[3] < apart[3] and last[3] < first[3] / 2
        assert min(last[5:]) > 0.75


class Always(torch.nn.Module):
    """Network that always predicts one class and records its input."""

    def __init__(self, label):
        super().__init__()
        self.logits = torch.nn.Parameter(20.0 * torch.eye(3)[label])
        self.seen = None

    def forward(self, images):
        self.seen = images
        return self.logits.expand(len(images), -1)


@pytest.mark.parametrize(
    ('mode', 'terms'),
    [
        # Students predict 0 and 1; a term is 20 if the label differs.
        ('direct', 2),  # each learns the other's label
        ('indirect', 4),  # both teachers predict 2: two terms for each
        ('indirect_noise', 4),
    ],
)
def test_pseudo_loss_by_hand(mode, terms):
    settings = replace(SETTINGS, unsup_weight=0.5)
    students, teachers = [Always(0), Always(1)], [Always(2), Always(2)]
    images = torch.ones(4, 5)
    loss = tool.pseudo_loss(mode, students, teachers, images, settings)
    assert loss.item() == pytest.approx(0.5 * 20 * terms, rel=1e-4)
    loss.backward()
    assert all(net.logits.grad is not None for net in students)
    assert all(net.logits.grad is None for net in teachers)
    noisy = mode == 'indirect_noise'
    assert torch.equal(students[0].seen, students[1].seen) != noisy
    if mode == 'direct':
        assert teachers[0].seen is None
    else:
        assert all(torch.equal(net.seen, images) for net in teachers)


def test_own_and_peer_teacher_are_both_heard():
    # Only the peer's label costs a student: its own teacher's label agrees.
    nets = [Always(0), Always(1)]
    teachers = [Always(0), Always(1)]
    loss = tool.pseudo_loss(
        'indirect',
        nets,
        teachers,
        torch.ones(4, 5),
        replace(SETTINGS, unsup_weight=1.0),
    )
    assert loss.item() == pytest.approx(40, rel=1e-4)


def test_measure_by_hand(data):
    measured = tool.measure([Always(0), Always(1)], data, 50)
    labels = data.test_labels[:50]
    assert measured == pytest.approx(
        [1, 0, *((labels == k).float().mean().item() for k in (0, 1))],
        abs=1e-6,
    )


def test_perturbed_stays_within_its_settings():
    quiet = replace(SETTINGS, pixel_noise=0.0, jitter=0.0)
    images = torch.rand(64, 100)
    assert torch.equal(tool.perturbed(images, quiet), images)
    loud = tool.perturbed(images, replace(quiet, pixel_noise=0.5))
    assert (loud - images).std().item() == pytest.approx(0.5, rel=0.05)
    jittered = tool.perturbed(images, replace(quiet, jitter=0.2)) - images
    assert jittered.abs().max() <= 0.4 and jittered.abs().max() > 0.1


def test_noisy_mode_without_noise_is_the_indirect_one(data):
    quiet = replace(SETTINGS, pixel_noise=0.0, jitter=0.0, dropout=0.0)
    values = [row[3:] for row in tool.run('indirect', 0, data, quiet)]
    noisy = [row[3:] for row in tool.run('indirect_noise', 0, data, quiet)]
    assert noisy == values
    dropout = replace(quiet, dropout=0.5)
    noisy = [row[3:] for row in tool.run('indirect_noise', 0, data, dropout)]
    assert noisy[0] == values[0] and noisy[-1] != values[-1]


def test_unknown_mode_is_named(data):
    with pytest.raises(ValueError, match="direct.*got 'mutual'"):
        tool.run('mutual', 0, data, SETTINGS)


def test_csv_table_and_figure(data, tmp_path, capsys):
    short = replace(SETTINGS, iterations=40, interval=20)
    rows = [
        row
        for seed in (0, 1)
        for mode in tool.MODES
        for row in tool.run(mode, seed, data, short)
    ]
    tool.write_csv(rows, tmp_path / 'a.csv')
    with (tmp_path / 'a.csv').open() as file:
        read = list(csv.reader(file))
    assert tuple(read[0]) == tool.COLUMNS and len(read) == 1 + 2 * 3 * 3
    assert float(read[3][3]) == pytest.approx(rows[2][3], abs=1e-5)
    steps, values = tool.curves(rows, 'direct')
    assert steps.tolist() == [0, 20, 40]
    assert values[1, 2] == rows[11][3]
    tool.print_table(rows)
    printed = capsys.readouterr().out
    assert f'{values[:, 2].mean():.4f}' in printed
    pytest.importorskip('matplotlib')
    tool.plot(rows, tmp_path / 'a.png', short)
    assert (tmp_path / 'a.png').read_bytes()[:4] == b'\x89PNG'


def test_tool_names_the_missing_file(tmp_path, capsys):
    assert tool.main(['--data', str(tmp_path)]) == 2
    assert 'train-images-idx3-ubyte.gz' in capsys.readouterr().err
