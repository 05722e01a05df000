"""Put mutated images and masks through the pipeline of a training.

Each is either loaded as what it is, or refused with an error that names the
file; nothing hangs, and the memory stays bounded.

    PYTHONPATH=.:tests python tests/campaigns/mutated_images.py --count 1000
"""

import argparse
import collections
import io
import resource
import tempfile
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from quiet import quicken
from toys import labelled_cfg, unlabelled_cfg

from rml_mmseg.datasets import Draw, SemiSegDataset

SIZE = (24, 32)
ORIENTATION = 0x0112


def picture(draw):
    """A smooth picture, which lossy formats keep."""
    small = draw.integers(0, 255, (3, 4, 3), np.uint8)
    return cv2.resize(small, SIZE[::-1], interpolation=cv2.INTER_LINEAR)


def encode(image, kind, mode='RGB', **settings):
    buffer = io.BytesIO()
    if image.ndim == 3:
        image = image[..., ::-1]
    Image.fromarray(np.ascontiguousarray(image)).convert(mode).save(
        buffer, kind, **settings
    )
    return buffer.getvalue()


def cut(draw, content):
    return content[: int(draw.integers(1, len(content) - 2))]


def flip(draw, content):
    content = bytearray(content)
    for _ in range(int(draw.integers(1, 20))):
        content[draw.integers(0, len(content))] ^= 1 << draw.integers(0, 8)
    return bytes(content)


def turned(image, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(image, 'JPEG', quality=95, exif=exif)


def absurd_header(content):
    """A PNG file whose header claims 3.6 billion pixels."""
    content = bytearray(content)
    content[16:24] = (60_000).to_bytes(4, 'big') * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, 'big')
    return bytes(content)


# How each kind of file is made, and if it must be refused (None: may be).
IMAGES = {
    'PNG': (lambda d, a: encode(a, 'PNG'), False),
    'JPEG': (lambda d, a: encode(a, 'JPEG', quality=95), False),
    'progressive JPEG': (
        lambda d, a: encode(a, 'JPEG', quality=95, progressive=True),
        False,
    ),
    'CMYK JPEG': (lambda d, a: encode(a, 'JPEG', 'CMYK', quality=95), False),
    'grey PNG': (lambda d, a: encode(a, 'PNG', 'L'), False),
    'PNG with alpha': (lambda d, a: encode(a, 'PNG', 'RGBA'), False),
    'WebP': (lambda d, a: encode(a, 'WEBP', quality=95), False),
    'TIFF': (lambda d, a: encode(a, 'TIFF'), False),
    '16-bit PNG': (
        lambda d, a: cv2.imencode('.png', a.astype(np.uint16) * 257)[
            1
        ].tobytes(),
        False,
    ),
    'PNG cut off': (lambda d, a: cut(d, encode(a, 'PNG')), True),
    'JPEG cut off': (lambda d, a: cut(d, encode(a, 'JPEG')), True),
    'PNG with flipped bits': (lambda d, a: flip(d, encode(a, 'PNG')), None),
    'JPEG with flipped bits': (lambda d, a: flip(d, encode(a, 'JPEG')), None),
    'noise': (lambda d, a: d.bytes(500), True),
    'empty': (lambda d, a: b'', True),
    'text': (lambda d, a: b'<html>404</html>', True),
    'absurd header': (lambda d, a: absurd_header(encode(a, 'PNG')), True),
    'one pixel': (lambda d, a: encode(a[:1, :1], 'PNG'), None),
    'turned by 180 degrees': (lambda d, a: turned(a, 3), False),
    'turned by 90 degrees': (lambda d, a: turned(a, 6), None),
}
MASKS = {
    'mask': (lambda d, m: encode(m, 'PNG', 'L'), False),
    'palette mask': (lambda d, m: encode(m, 'PNG', 'P'), False),
    '16-bit mask of small values': (
        lambda d, m: cv2.imencode('.png', m.astype(np.uint16))[1].tobytes(),
        False,
    ),
    '16-bit mask beyond 255': (
        lambda d, m: cv2.imencode('.png', m.astype(np.uint16) + 256)[
            1
        ].tobytes(),
        True,
    ),
    'coloured mask': (lambda d, m: encode(np.dstack([m] * 3), 'PNG'), True),
    'mask cut off': (lambda d, m: cut(d, encode(m, 'PNG', 'L')), True),
    'mask of another size': (lambda d, m: encode(m[1:], 'PNG', 'L'), True),
    'mask of unknown classes': (
        lambda d, m: encode(m + 100, 'PNG', 'L'),
        True,
    ),
    'empty mask': (lambda d, m: b'', True),
    'mask turned by 90 degrees': (
        lambda d, m: encode(np.rot90(m), 'PNG', 'L'),
        True,
    ),
}


def build(root):
    dataset = SemiSegDataset(
        labelled_cfg(root / 'labelled'),
        unlabelled_cfg(root / 'unlabelled'),
        max_unreadable=0,
    )
    return dataset


def write(root, name, image, mask):
    for kind, content in (('img', image), ('ann', mask)):
        path = root / name / kind / '0.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def attempt(dataset, roots, labelled, expected, expected_mask):
    """Load an item: 'right', 'refused', or what is wrong."""
    try:
        item = dataset[Draw(0, (0,), seed=1)]
    except RuntimeError as error:
        name = 'labelled' if labelled else 'unlabelled'
        folder = str(roots / name)
        return 'refused' if folder in str(error) else f'unnamed: {error}'
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    part = item['labelled'] if labelled else item['unlabelled'][0]
    inputs = part['inputs']
    image = (inputs if labelled else inputs['weak']).numpy()
    image = image.transpose(1, 2, 0).astype(int)
    if expected is None:
        return 'loaded'
    if image.shape != expected.shape:
        return f'loaded as {image.shape}'
    error = np.abs(image - expected).mean()
    if error > 12:
        return f'loaded {error:.0f} grey values off'
    if labelled:
        found = part['data_samples'].gt_sem_seg.data[0].numpy()
        if (found != expected_mask).any():
            return 'loaded with other labels'
    return 'right'


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--count', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    quicken()
    draw = np.random.default_rng(args.seed)
    root = Path(tempfile.mkdtemp(prefix='mutated_'))
    good = picture(draw)
    mask = draw.integers(0, 3, SIZE).astype(np.uint8)
    good_files = encode(good, 'PNG'), encode(mask, 'PNG', 'L')
    for name in ('labelled', 'unlabelled'):
        write(root, name, *good_files)
    dataset = build(root)
    assert attempt(dataset, root, True, good.astype(int), mask) == 'right'

    cases = [(True, kind, True) for kind in MASKS]
    cases += [(side, kind, False) for kind in IMAGES for side in (True, False)]
    table = collections.defaultdict(collections.Counter)
    faults, longest = [], 0.0
    for number in range(args.count):
        labelled, kind, of_mask = cases[number % len(cases)]
        image = picture(draw)
        mask = draw.integers(0, 3, SIZE).astype(np.uint8)
        make, refused = (MASKS if of_mask else IMAGES)[kind]
        name = 'labelled' if labelled else 'unlabelled'
        write(root, 'labelled', *good_files)
        write(root, 'unlabelled', *good_files)
        expected = image.astype(int)
        if of_mask:
            write(root, name, encode(image, 'PNG'), make(draw, mask))
        else:
            write(root, name, make(draw, image), encode(mask, 'PNG', 'L'))
            if kind == 'grey PNG':
                grey = encode(image, 'PNG', 'L')
                grey = cv2.imdecode(np.frombuffer(grey, np.uint8), 1)
                expected = grey.astype(int)
            if kind == 'turned by 180 degrees':
                expected = expected[::-1, ::-1]
            if refused is None:
                expected = None
        begin = time.monotonic()
        result = attempt(dataset, root, labelled, expected, mask)
        longest = max(longest, time.monotonic() - begin)
        dataset.unreadable.problems.clear()
        table[kind][result] += 1
        wanted = {True: {'refused'}, False: {'right'}}.get(
            refused, {'refused', 'loaded'}
        )
        if 'cut off' in kind:
            # The part that was cut off may hold nothing of the picture.
            wanted.add('right')
        if result not in wanted:
            faults.append((kind, name, result))
    for kind, results in table.items():
        print(f'{kind}: {dict(results)}')
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f'{args.count} files, longest {longest:.2f} s, peak {peak:.0f} MiB')
    print(f'{len(faults)} faults')
    for fault in sorted(set(faults)):
        print(*fault, sep=', ')
    raise SystemExit(bool(faults))


if __name__ == '__main__':
    main()
