"""The text of a suite file, which trains several methods."""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

from .lists import SPLIT, ImageLists
from .methods import SUPERVISED, TITLES
from .writing import HERE

PLAIN_KEY = 'train_dataloader.dataset.ann_file'
SEMI_KEYS = (
    'train_dataloader.dataset.labelled.ann_file',
    'train_dataloader.dataset.unlabelled.ann_file',
)


def suite_text(
    file: Path,
    configs: Mapping[str, Path],
    seeds: Sequence[int],
    splits: Sequence[str] = (),
    lists: Optional[ImageLists] = None,
    data_root: Optional[str] = None,
) -> str:
    """Text of a suite file for ``tools/benchmarks/suite.py``.

    Args:
        file (Path): The suite file.
        configs (dict[str, Path]): Configs beside it, by the method's name.
        seeds (Sequence[int]): Seeds of the runs.
        splits (Sequence[str]): Names of splits; empty if there is only one.
        lists (ImageLists, optional): Lists that depend on seed or split;
            None if the lists in the configs serve all runs.
        data_root (str, optional): Folder of the data set; lists in it are
            given relative to it.
    """
    lines = [
        '# Compare methods (docs/compare.md). Run in the folder of a clone:',
        f'#     python tools/benchmarks/suite.py {shlex.quote(str(file))}',
        f'seeds = {list(seeds)}',
    ]
    if splits:
        lines.append(f'splits = {list(splits)}')
    options = {}
    if lists is not None:
        labelled, unlabelled = (
            _list_path(path, file.parent, data_root) for path in lists
        )
        followed = 'split and seed' if lists.names(SPLIT) else 'seed'
        lines += [
            f'# The lists depend on the {followed}.',
            f'labels = {{{PLAIN_KEY!r}: {labelled!r}}}',
            'lists = {',
            f'    {SEMI_KEYS[0]!r}: {labelled!r},',
            f'    {SEMI_KEYS[1]!r}: {unlabelled!r},',
            '}',
        ]
        options = {
            name: 'labels' if name == SUPERVISED else 'lists'
            for name in configs
        }
    if SUPERVISED in configs and len(configs) > 1:
        lines += [
            '# The gain of the others is over this method.',
            f'baseline = {SUPERVISED!r}',
        ]
    lines.append('methods = dict(')
    for name, config in configs.items():
        lines += [
            f'    {name}=dict(',
            f'        title={TITLES[name]!r},',
            f'        config={f"{HERE}/{config.name}"!r},',
            *([f'        options={options[name]},'] if options else []),
            '    ),',
        ]
    return '\n'.join([*lines, ')', ''])


def _list_path(path: Path, folder: Path, data_root: Optional[str]) -> str:
    """Path of a list in a suite, such that folders can be moved."""
    # Links are not resolved: names of folders may hold {seed} or {split}.
    whole = Path(os.path.abspath(path))
    root = os.path.abspath(data_root) if data_root else None
    if root is not None and whole.is_relative_to(root):
        return whole.relative_to(root).as_posix()
    beside = folder.resolve()
    if whole.is_relative_to(beside):
        return f'{HERE}/{whole.relative_to(beside).as_posix()}'
    return whole.as_posix()
