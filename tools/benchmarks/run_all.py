"""Run all benchmarks one after the other, within ten minutes on a CPU."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
# Each with the arguments that keep it short.
COMMANDS: dict[str, list[str]] = {
    'rectifier': ['--rounds', '3', '--budget', '15'],
    'ema': [],
    'pipeline': [],
    'cache': [],
    'step': ['--rounds', '15'],
    'options': ['--rounds', '5'],
    'resume': ['--rounds', '3'],
    'scaling': [],
    'memory': ['--first', '100', '--last', '300'],
    'paper_memory': [],
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/benchmarks')
    )
    parser.add_argument(
        '--only', nargs='+', choices=COMMANDS, default=list(COMMANDS)
    )
    return parser.parse_args(argv)


def main() -> None:
    """Run the tool."""
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    began, failed = time.monotonic(), []
    for name in args.only:
        command = [
            *(sys.executable, '-W', 'ignore', str(TOOLS / f'{name}.py')),
            *COMMANDS[name],
            *('--out', str(args.out / f'{name}.json')),
        ]
        if subprocess.run(command).returncode:
            failed.append(name)
    minutes = (time.monotonic() - began) / 60
    print(f'{len(args.only)} benchmarks in {minutes:.1f} minutes')
    if failed:
        raise SystemExit(f'error: these failed: {", ".join(failed)}')


if __name__ == '__main__':
    main()
