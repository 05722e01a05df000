"""Write the synthetic textured scenes once; a seed always gives the same."""

import argparse
import json
import time
from pathlib import Path

from rml_mmseg.datasets.scene_writer import (
    PROVENANCE,
    write_textured_scenes,
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Write the synthetic textured scenes. A complete folder '
        'is kept; an incomplete or altered one is written again.'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('data/textured_scenes'),
        help='folder of the data set (default: %(default)s)',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--train', type=int, default=300, help='number of training images'
    )
    parser.add_argument(
        '--test', type=int, default=100, help='number of test images'
    )
    parser.add_argument(
        '--labelled',
        type=int,
        default=12,
        help='number of training images listed in splits/labelled.txt',
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(96, 96),
        metavar=('HEIGHT', 'WIDTH'),
        help='size of the images in pixels (default: 96 96)',
    )
    return parser.parse_args()


def main() -> None:
    """Write the scenes and print what they are."""
    args = parse_args()
    start = time.perf_counter()
    height, width = args.size
    try:
        written = write_textured_scenes(
            args.out,
            seed=args.seed,
            train=args.train,
            test=args.test,
            labelled=args.labelled,
            height=height,
            width=width,
        )
    except (ValueError, OSError) as error:
        raise SystemExit(f'error: {error}') from error
    if not written:
        print(f'{args.out} is complete; nothing to do')
        return
    provenance = json.loads((args.out / PROVENANCE).read_text('utf-8'))
    print(
        f'{args.out}: {args.train} training images ({args.labelled} '
        f'labelled) and {args.test} test images of {height}x{width} pixels '
        f'in {time.perf_counter() - start:.1f} s'
    )
    print('share of pixels by class:')
    shares = provenance['class_share']
    for index, name in enumerate(provenance['classes']):
        columns = '  '.join(
            f'{split} {100 * shares[split][index]:5.1f} %' for split in shares
        )
        print(f'  {name:<12}{columns}')


if __name__ == '__main__':
    main()
