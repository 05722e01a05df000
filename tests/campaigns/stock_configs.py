"""Make every config that mmseg ships semi-supervised, or say why not.

Of the configs whose networks are made of the same parts one is built::

    PYTHONPATH=. python tests/campaigns/stock_configs.py
"""

import argparse
import collections
import re
import tempfile
from pathlib import Path

import mmseg
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from rml_mmseg.engine.checks.registered import type_name
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


def types(node):
    """Types of a part of a config and of what is in it."""
    if isinstance(node, dict):
        return type_name(node), *(types(value) for value in node.values())
    if isinstance(node, (list, tuple)):
        return tuple(types(value) for value in node)
    return ()


def outcome(path, own, built):
    """'made', or the first words of the refusal."""
    try:
        stock = load_stock(str(path))
        data = data_of_config(stock, own, own_geometry=False)
        config, _ = compose([stock], data, PLAN)
        parts = types(config['model'])
        if parts not in built:
            MODELS.build(config['model'])
            built.add(parts)
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
    init_default_scope('mmseg')
    found, built = collections.defaultdict(list), set()
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / 'dataset_config.py'
        own.write_text(OWN)
        for path in paths:
            found[outcome(path, own, built)].append(path.stem)
    print(
        f'mmseg {mmseg.__version__}: {len(paths)} configs, '
        f'{len(built)} pairs of other parts built'
    )
    for reason, names in sorted(found.items(), key=lambda x: -len(x[1])):
        print(f'{len(names)} {reason}, such as {names[0]}')


if __name__ == '__main__':
    main()
