"""Make every config that mmseg ships semi-supervised, or say why not.

PYTHONPATH=. python tests/campaigns/stock_configs.py
"""

import argparse
import collections
import re
import tempfile
from pathlib import Path

import mmseg

from rml_mmseg.semi_config import (
    SemiPlan,
    compose,
    data_of_config,
    load_stock,
)
from rml_mmseg.semi_config.stock import stock_folder

OWN = """
labelled_dataset = dict(type='BaseSegDataset')
unlabelled_dataset = dict(type='UnlabelledSegDataset')
num_classes = 4
"""
PLAN = SemiPlan(learners=2, iters=10000, stages=1, burn_in=1000)


def outcome(path, own):
    """'made', or the first words of the refusal."""
    try:
        stock = load_stock(str(path))
        data = data_of_config(stock, own, own_geometry=False)
        compose([stock], data, PLAN)
    except ValueError as error:
        return re.sub(r'\S*[/.]py\S* ?', '', str(error))[:90]
    return 'made'


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', default='', help='part of the names')
    only = parser.parse_args().only
    paths = [
        path
        for path in sorted(stock_folder().glob('*/*.py'))
        if path.parent.name != '_base_' and only in path.as_posix()
    ]
    found = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / 'dataset_config.py'
        own.write_text(OWN)
        for path in paths:
            found[outcome(path, own)].append(path.stem)
    print(f'mmseg {mmseg.__version__}: {len(paths)} configs')
    for reason, names in sorted(found.items(), key=lambda x: -len(x[1])):
        print(f'{len(names)} {reason}, such as {names[0]}')


if __name__ == '__main__':
    main()
