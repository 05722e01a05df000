"""Run all benchmarks one after the other, within ten minutes on a CPU.

With a GPU, run those that concern the GPU, with the paper's pair of networks.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import torch

TOOLS = Path(__file__).resolve().parent
# Each tool with arguments that keep it short.
COMMANDS: dict[str, list[str]] = {
    'rectifier': ['rectifier', '--rounds', '3', '--budget', '8'],
    'ema': ['ema'],
    'pipeline': ['pipeline'],
    'cache': ['cache'],
    'step': ['step', '--rounds', '10'],
    'options': ['options', '--rounds', '3'],
    'resume': ['resume', '--rounds', '2'],
    'scaling': ['scaling', '--repeats', '1'],
    'memory': ['memory', '--first', '60', '--last', '150', '--traced', '40'],
    'paper_memory': ['paper_memory'],
}
PAIR = 'configs/rml/deeplabv2_deeplabv2_city_1-8.py'
SCENES = ['--scene-size', '512', '1024']
BFLOAT16 = 'optim_wrapper.type=BFloat16OptimWrapper'


def of_pair(tool: str, *arguments: str, batch: int = 4) -> list[str]:
    """Arguments to train the paper's pair, with its batch on one GPU."""
    return [
        *(tool, PAIR, *SCENES, *arguments, '--cfg-options'),
        f'train_dataloader.batch_size={batch}',
        'train_dataloader.num_workers=8',
    ]


GPU_COMMANDS: dict[str, list[str]] = {
    'ema': ['ema'],
    'rectifier': ['rectifier', '--budget', '8'],
    'step': [*of_pair('step', '--rounds', '12'), BFLOAT16],
    'step_16': [*of_pair('step', '--rounds', '10', batch=16), BFLOAT16],
    'precision': of_pair('options', '--options', 'bfloat16', 'float16'),
    'options': [
        *of_pair(
            'options',
            *('--options', 'channels_last', 'joint_forward', 'with_cp'),
            *('cuda_graphs', 'compile_backbones'),
        ),
        BFLOAT16,
    ],
    'paper_memory': ['paper_memory'],
    'memory': ['memory'],
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/benchmarks')
    )
    parser.add_argument(
        '--only',
        nargs='+',
        choices=sorted({*COMMANDS, *GPU_COMMANDS}),
        help='run only these; those for a GPU need one',
    )
    return parser.parse_args(argv)


def main() -> None:
    """Run the tool."""
    args = parse_args()
    commands = GPU_COMMANDS if torch.cuda.is_available() else COMMANDS
    names = args.only or list(commands)
    unknown = [name for name in names if name not in commands]
    if unknown:
        raise SystemExit(
            f'error: --only {" ".join(unknown)}: this machine can run '
            f'{", ".join(commands)}'
        )
    args.out.mkdir(parents=True, exist_ok=True)
    began, failed = time.monotonic(), []
    for number, name in enumerate(names, 1):
        minutes = (time.monotonic() - began) / 60
        print(
            f'[{number}/{len(names)}] {name}, after {minutes:.1f} minutes',
            flush=True,
        )
        tool, *arguments = commands[name]
        command = [
            *(sys.executable, '-W', 'ignore', str(TOOLS / f'{tool}.py')),
            *arguments,
            *('--out', str(args.out / f'{name}.json')),
        ]
        if subprocess.run(command).returncode:
            failed.append(name)
    minutes = (time.monotonic() - began) / 60
    print(f'{len(names)} benchmarks in {minutes:.1f} minutes')
    if failed:
        raise SystemExit(f'error: these failed: {", ".join(failed)}')


if __name__ == '__main__':
    main()
