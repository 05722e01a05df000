"""Train a supervised baseline and RML on synthetic scenes and compare them.

Both train for the same iterations through ``tools/train.py``, side by side,
one thread each; then every network is scored on the same test images.
"""

import argparse
import json
import os
import os.path as osp
import subprocess
import sys
import time

# isort: off
import rml_mmseg  # noqa: F401  (makes mmseg importable)

# isort: on
import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.utils import track_iter_progress
from mmseg.apis import init_model
from mmseg.evaluation import IoUMetric
from prettytable import PrettyTable

ROOT = osp.dirname(osp.dirname(osp.abspath(__file__)))
RUNS = dict(
    baseline='configs/supervised/resnet_scenes-12.py',
    rml='configs/rml/resnet_vit_scenes-12.py',
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--out', default='work_dirs/demo', help='folder of the results'
    )
    parser.add_argument(
        '--data', default='data/textured_scenes', help='folder of the scenes'
    )
    parser.add_argument(
        '--iters',
        type=int,
        help='iterations of both runs; default: those of the configs',
    )
    args = parser.parse_args()
    if args.iters is not None and args.iters < 1:
        parser.error(f'--iters must be 1 or more, got {args.iters}')
    return args


def environment(data: str) -> dict[str, str]:
    """Environment with one thread per process, and the scenes' folder."""
    path = os.pathsep.join(
        part for part in (ROOT, os.environ.get('PYTHONPATH')) if part
    )
    return {
        **os.environ,
        'OMP_NUM_THREADS': '1',
        'DATA_ROOT': osp.abspath(data),
        'PYTHONPATH': path,
    }


def make_data(data: str) -> None:
    """Write the scenes unless they are there."""
    script = osp.join(ROOT, 'tools/dataset_converters/make_textured_scenes.py')
    subprocess.run(
        [sys.executable, script, '--out', data],
        check=True,
        env=environment(data),
    )


def overrides(config: str, iters: int) -> list[str]:
    """Settings for a run of another length, with the same burn-in share."""
    train = Config.fromfile(osp.join(ROOT, config)).train_cfg
    burn_in = train.get('burn_in_iters', 0)
    share = burn_in / train.iters_per_stage
    return [
        f'train_cfg.burn_in_iters={int(iters * share)}',
        f'train_cfg.iters_per_stage={iters}',
    ]


def train(args: argparse.Namespace) -> None:
    """Train both at once, showing how far each is."""
    script = osp.join(ROOT, 'tools/train.py')
    processes = {}
    for name, config in RUNS.items():
        folder = osp.join(args.out, name)
        os.makedirs(folder, exist_ok=True)
        command = [sys.executable, script, osp.join(ROOT, config)]
        command += ['--work-dir', folder]
        if args.iters:
            command += ['--cfg-options', *overrides(config, args.iters)]
        print(f'{name}: {" ".join(command)}', flush=True)
        with open(osp.join(folder, 'output.txt'), 'w') as log:
            processes[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(args.data),
            )
    try:
        wait(processes, args.out)
    finally:
        for process in processes.values():
            process.terminate()


def wait(processes: dict[str, subprocess.Popen], out: str) -> None:
    """Print the progress until all processes have ended.

    Raises:
        SystemExit: If one fails; the end of its output is printed.
    """
    shown: dict[str, str] = {}
    while True:
        running = False
        for name, process in processes.items():
            running |= process.poll() is None
            with open(osp.join(out, name, 'output.txt')) as file:
                lines = file.read().splitlines()
            if process.poll():
                print('\n'.join(lines[-20:]))
                raise SystemExit(
                    f'{name} failed with exit code {process.poll()}'
                )
            steps = [line for line in lines if 'Iter(train)' in line]
            if steps:
                step = steps[-1].split('Iter(train)')[1]
                place = step.split(']')[0].strip(' [')
                eta = step.split('eta:')[1].split()[0]
                state = f'{name:9s} {place:>9s}  remaining {eta}'
                if shown.get(name) != state:
                    shown[name] = state
                    print(state, flush=True)
        if not running:
            return
        time.sleep(5)


def load(out: str, name: str, config: str) -> torch.nn.Module:
    """Load a trained network."""
    folder = osp.join(out, name)
    with open(osp.join(folder, 'last_checkpoint')) as file:
        checkpoint = file.read().strip()
    path = osp.join(folder, osp.basename(config))
    return init_model(path, checkpoint, device='cpu')


def predictions(
    model: torch.nn.Module, batch: dict
) -> dict[str, torch.Tensor]:
    """Label map (H, W) of every learner of a model, by its name."""
    with torch.no_grad():
        sample = model.test_step(batch)[0]
    found = {
        key[len('pred_') :].replace('_', '.'): value.data[0]
        for key, value in sample.items()
        if key.startswith('pred_') and key != 'pred_sem_seg'
    }
    return found or {'baseline': sample.pred_sem_seg.data[0]}


def score(args: argparse.Namespace) -> tuple[dict, list, dict]:
    """Compute the IoU of every class for every network, with predictions.

    Returns:
        tuple: IoU (K,) by name; (image, truth, predictions by name) of
        every test image; meta information of the data set.
    """
    os.environ.update(environment(args.data))
    models = [load(args.out, name, config) for name, config in RUNS.items()]
    loader = Runner.build_dataloader(
        dict(
            models[0].cfg.test_dataloader,
            num_workers=0,
            persistent_workers=False,
        )
    )
    meta = loader.dataset.metainfo
    areas: dict[str, list] = {}
    shown = []
    print('Scoring all networks on the test images')
    for batch in track_iter_progress((loader, len(loader)), file=sys.stderr):
        truth = batch['data_samples'][0].gt_sem_seg.data[0]
        found: dict[str, torch.Tensor] = {}
        for model in models:
            found.update(predictions(model, batch))
        for name, labels in found.items():
            areas.setdefault(name, []).append(
                IoUMetric.intersect_and_union(
                    labels, truth, len(meta['classes']), 255
                )
            )
        image = batch['inputs'][0].numpy().transpose(1, 2, 0)[..., ::-1]
        shown.append((image, truth, found))
    scores = {}
    for name, rows in areas.items():
        intersect, union = (sum(column) for column in list(zip(*rows))[:2])
        scores[name] = (100 * intersect / union).numpy()
    return scores, shown, meta


def table(scores: dict[str, np.ndarray], classes: tuple) -> str:
    """Format the scores: networks in columns, classes in rows."""
    rows = PrettyTable(['IoU', *scores])
    for i, name in enumerate(classes):
        rows.add_row([name, *(f'{own[i]:.1f}' for own in scores.values())])
    rows.add_row(
        ['mIoU', *(f'{np.nanmean(own):.2f}' for own in scores.values())],
    )
    return rows.get_string()


def draw(
    rows: list, deployed: str, palette: list, path: str, title: str
) -> None:
    """Draw image, ground truth, baseline and RML side by side."""
    colours = np.array(palette, dtype=np.uint8)
    names = ('image', 'ground truth', 'supervised baseline', title)
    figure = Figure(figsize=(8, 2.05 * len(rows) + 0.3))
    axes = figure.subplots(len(rows), 4, squeeze=False)
    for row, (image, truth, found) in enumerate(rows):
        maps = (truth, found['baseline'], found[deployed])
        pictures = [image, *(colours[labels.numpy()] for labels in maps)]
        for place, picture, name in zip(axes[row], pictures, names):
            place.imshow(picture)
            place.set_axis_off()
            if row == 0:
                place.set_title(name, fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main() -> None:
    """Make the data, train, score and draw."""
    args = parse_args()
    started = time.time()
    make_data(args.data)
    train(args)
    scores, shown, meta = score(args)
    model_cfg = Config.fromfile(osp.join(ROOT, RUNS['rml'])).model
    deployed = model_cfg.test_cfg.predict_on
    result = table(scores, meta['classes'])
    print(result)
    gain = np.nanmean(scores[deployed]) - np.nanmean(scores['baseline'])
    print(
        f'RML ({deployed}, the deployed network) against the supervised '
        f'baseline of the same architecture: {gain:+.2f} mIoU on '
        f'{len(shown)} held-out images, at equal iterations'
    )
    with open(osp.join(args.out, 'scores.json'), 'w') as file:
        json.dump({k: v.round(2).tolist() for k, v in scores.items()}, file)
    with open(osp.join(args.out, 'table.txt'), 'w') as file:
        file.write(result + '\n')
    for i in range(0, 12, 4):
        path = osp.join(args.out, f'comparison_{i // 4 + 1}.png')
        draw(
            shown[i : i + 4],
            deployed,
            meta['palette'],
            path,
            f'RML ({deployed})',
        )
        print(osp.abspath(path))
    print(f'{time.time() - started:.0f} s in all')


if __name__ == '__main__':
    main()
