r"""Figure 2 of the paper: how fast two mutual learners couple on MNIST.

Two differently initialised three-layer MLPs learn from 1/60 of MNIST's
labels, three times over:

- ``direct``: each learns from the other student's hard labels (Eq. 3);
- ``indirect``: each learns from the hard labels of the other's and of its
  own mean teacher (Eq. 4 and 5);
- ``indirect_noise``: the same, with input noise and dropout in the students.

All the while the total variation distance between the softmax outputs of
the two networks that teach is measured on test images: of the students where
they teach each other directly, of the mean teachers elsewhere. Zero means
that the two have become one, and mutual learning has become self-training.

Example::

    python tools/analysis_tools/coupling_mnist.py --data data/mnist \
        --seeds 0 1 2 --out docs/figures
"""

import argparse
import copy
import csv
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rml_mmseg.datasets.mnist import Mnist, read_mnist
from rml_mmseg.models.utils import agreement, ema_update, total_variation

MODES = {
    'direct': 'Direct mutual learning',
    'indirect': 'Indirect mutual learning',
    'indirect_noise': 'Indirect mutual learning w/ noise',
}
#: Greatest value on the y axis of the paper's figure.
PAPER_AXIS = 0.313
COLUMNS = (
    'mode',
    'seed',
    'iteration',
    'total_variation',
    'agreement',
    'accuracy_1',
    'accuracy_2',
)


@dataclass(frozen=True)
class Settings:
    """The experiment's numbers; the paper gives the first two.

    A few supervised iterations come before the first one counted (the
    paper's section 3: labelled images first), too few for the learners to
    agree. Without any, the mean teachers begin as random networks and teach
    a constant class. Noise is on unlabelled images, intensities in [0, 1].
    """

    iterations: int = 5000
    labelled: int = 1000  # 1/60
    batch: int = 32  # labelled images
    unlabelled_batch: int = 96
    hidden: int = 128  # units of each of the two hidden layers
    warm_up: int = 30
    lr: float = 0.02  # of SGD, falling to 0
    power: float = 0.9  # of the polynomial by which it falls
    sgd_momentum: float = 0.9
    ema_momentum: float = 0.9995
    unsup_weight: float = 1.0  # of every pseudo-label term
    dropout: float = 0.5  # in noisy students
    pixel_noise: float = 1.0  # standard deviation of Gaussian noise
    jitter: float = 0.4  # greatest change of contrast and of brightness
    interval: int = 50  # iterations between two measurements
    measured: int = 2000  # test images to measure on


def mlp(inputs: int, hidden: int, classes: int, dropout: float) -> nn.Module:
    """Three linear layers, ReLU and dropout between them, He initialised.

    Torch's own, smaller initial weights let two new networks give nearly
    the same outputs, so that there would be no distance to lose.
    """
    net = nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    )
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
            nn.init.zeros_(layer.bias)
    return net


def scaled(images: Tensor) -> Tensor:
    """Intensities in [0, 1]."""
    return images.float() / 255 if images.dtype == torch.uint8 else images


def perturbed(images: Tensor, settings: Settings) -> Tensor:
    """Input noise: contrast, brightness and Gaussian pixel noise."""
    contrast, shift = settings.jitter * (2 * torch.rand(2, len(images), 1) - 1)
    noise = settings.pixel_noise * torch.randn_like(images)
    return images * (1 + contrast) + shift + noise


@torch.no_grad()
def measure(networks: Sequence[nn.Module], data: Mnist, count: int) -> list:
    """Total variation, agreement and accuracies of two networks."""
    images = scaled(data.test_images[:count])
    labels = data.test_labels[:count]
    p, q = (net(images).softmax(1)[:, :, None, None] for net in networks)
    hits = [(x.argmax(1).flatten() == labels).float().mean() for x in (p, q)]
    return [x.item() for x in (total_variation(p, q), agreement(p, q), *hits)]


def pseudo_loss(
    mode: str,
    students: Sequence[nn.Module],
    teachers: Sequence[nn.Module],
    images: Tensor,
    settings: Settings,
) -> Tensor:
    """Eq. 3 (``direct``) or Eq. 5 of the paper, on images (N, D)."""
    direct = mode == 'direct'
    with torch.no_grad():
        pseudo = [
            net(images).argmax(1) for net in (students if direct else teachers)
        ]
    losses = []
    for index, student in enumerate(students):
        noisy = mode == 'indirect_noise'
        logits = student(perturbed(images, settings) if noisy else images)
        for labels in [pseudo[1 - index]] if direct else pseudo:
            losses.append(F.cross_entropy(logits, labels))
    return settings.unsup_weight * torch.stack(losses).sum()


def run(mode: str, seed: int, data: Mnist, settings: Settings) -> list[tuple]:
    """Train once; a row of :data:`COLUMNS` for every measurement.

    The three modes of a seed share labelled images, initial weights, warm-up
    and batches. Torch's global generator is seeded and left changed.

    Raises:
        ValueError: If the mode is unknown.
    """
    if mode not in MODES:
        raise ValueError(f'mode must be one of {list(MODES)}, got {mode!r}')
    torch.manual_seed(seed)
    sampler = torch.Generator().manual_seed(seed)
    students = [
        mlp(
            data.train_images.shape[1],
            settings.hidden,
            int(data.train_labels.max()) + 1,
            settings.dropout if mode == 'indirect_noise' else 0.0,
        ).eval()
        for _ in range(2)
    ]
    teachers = [copy.deepcopy(net) for net in students]
    weights = [w for net in students for w in net.parameters()]
    optimiser = torch.optim.SGD(
        weights, settings.lr, momentum=settings.sgd_momentum
    )
    schedule = torch.optim.lr_scheduler.PolynomialLR(
        optimiser, settings.warm_up + settings.iterations + 1, settings.power
    )
    order = torch.randperm(len(data.train_images), generator=sampler)
    pools = (
        (order[: settings.labelled], settings.batch),
        (order[settings.labelled :], settings.unlabelled_batch),
    )
    # Without dropout a student in train mode predicts as in eval mode.
    teaching = students if mode == 'direct' else teachers
    rows = []
    for iteration in range(-settings.warm_up, settings.iterations + 1):
        if iteration == 0:
            for teacher, student in zip(teachers, students):
                ema_update(teacher, student, momentum=0)
                student.train()
        if iteration >= 0 and iteration % settings.interval == 0:
            measured = measure(teaching, data, settings.measured)
            rows.append((mode, seed, iteration, *measured))
        labelled, unlabelled = (
            pool[torch.randint(len(pool), (batch,), generator=sampler)]
            for pool, batch in pools
        )
        images = scaled(data.train_images[labelled])
        labels = data.train_labels[labelled]
        losses = [F.cross_entropy(net(images), labels) for net in students]
        if iteration >= 0:
            images = scaled(data.train_images[unlabelled])
            losses.append(
                pseudo_loss(mode, students, teachers, images, settings)
            )
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()
        optimiser.step()
        schedule.step()
        for teacher, student in zip(teachers, students):
            ema_update(teacher, student, settings.ema_momentum)
    return rows


def write_csv(rows: Sequence[tuple], path: Path) -> None:
    """Write all measurements, a row each."""
    with path.open('w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow([*row[:3], *(f'{x:.5f}' for x in row[3:])])


def curves(rows: Sequence[tuple], mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Iterations (T,) and total variation (seeds, T) of one mode."""
    seeds = sorted({row[1] for row in rows})
    chosen = [[r for r in rows if r[:2] == (mode, seed)] for seed in seeds]
    steps = np.array([row[2] for row in chosen[0]])
    return steps, np.array([[row[3] for row in one] for one in chosen])


def print_table(rows: Sequence[tuple]) -> None:
    """Print means and ranges over seeds, at iteration 1000 and at the last."""
    print(f'{"":34}iteration  total variation (min-max)  agree  accuracy')
    for mode, title in MODES.items():
        steps, values = curves(rows, mode)
        for step in sorted({steps[steps <= 1000][-1], steps[-1]}):
            at = values[:, list(steps).index(step)]
            others = np.array(
                [r[4:] for r in rows if (r[0], r[2]) == (mode, step)]
            )
            print(
                f'{title:34}{step:9d}  {at.mean():.4f} '
                f'({at.min():.4f}-{at.max():.4f})    '
                f'{others[:, 0].mean():.3f}  {others[:, 1:].mean():.3f}'
            )


def plot(rows: Sequence[tuple], path: Path, settings: Settings) -> None:
    """Plot the paper's figure: mean over seeds, band from least to most."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.6), layout='constrained')
    axes = figure.subplots()
    top = PAPER_AXIS
    for mode, title in MODES.items():
        steps, values = curves(rows, mode)
        axes.plot(steps, values.mean(0), label=title)
        axes.fill_between(steps, values.min(0), values.max(0), alpha=0.25)
        top = max(top, values.max())
    axes.set(xlabel='Iterations', ylabel='Total variation')
    axes.set(xlim=(0, settings.iterations), ylim=(0, top))
    if top == PAPER_AXIS:
        axes.set_yticks(np.linspace(0, PAPER_AXIS, 9).round(3))
    axes.grid(alpha=0.3)
    axes.legend(fontsize='small')
    figure.savefig(path, dpi=150)


def main(argv: Optional[list[str]] = None) -> int:
    """Run the tool; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--data', type=Path, default=Path('data/mnist'))
    parser.add_argument('--out', type=Path, default=Path('work_dirs/coupling'))
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    for name, value in vars(Settings()).items():
        flag = f'--{name.replace("_", "-")}'
        parser.add_argument(flag, type=type(value), default=value)
    args = parser.parse_args(argv)
    settings = Settings(**{n: getattr(args, n) for n in vars(Settings())})
    try:
        data = read_mnist(args.data)
    except (OSError, ValueError) as error:
        print(f'coupling_mnist: {error}', file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    rows: list[tuple] = []
    for seed in args.seeds:
        for mode in MODES:
            begin = time.perf_counter()
            rows += run(mode, seed, data, settings)
            write_csv(rows, args.out / 'coupling_mnist.csv')
            seconds = time.perf_counter() - begin
            print(f'{mode}, seed {seed}: {rows[-1][3]:.4f} ({seconds:.0f} s)')
    plot(rows, args.out / 'coupling_mnist.png', settings)
    print(settings)
    print_table(rows)
    return 0


if __name__ == '__main__':
    sys.exit(main())
