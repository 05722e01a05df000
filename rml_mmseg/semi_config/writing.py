"""Writing several configs, all or none."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Union

from mmengine.config import Config

HERE = '{{ fileDirname }}'
"""mmengine's variable for the folder of a config, replaced in its text."""
_STRING = re.compile(rf"'({re.escape(HERE)}[^'\"\n]*)'")


def portable(node: Any, folder: Path) -> Any:
    """Replace the config's folder in paths by mmengine's variable for it."""
    if isinstance(node, dict):
        return {key: portable(value, folder) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(portable(value, folder) for value in node)
    prefix = f'{folder.resolve().as_posix()}/'
    if isinstance(node, str) and node.startswith(prefix):
        return f'{HERE}/{node[len(prefix) :]}'
    if isinstance(node, str) and node == prefix[:-1]:
        return HERE
    return node


def write_all(
    configs: Mapping[Path, Union[Config, str]],
    lists: Mapping[Path, str],
    check: Callable[[Path, Path], None],
) -> None:
    """Write files if all of them are valid; else leave everything as it was.

    Args:
        configs (dict): Configs, or texts of configs, by file.
        lists (dict[Path, str]): Lists of images that they read, by file.
        check (Callable): Called with a config's file and its draft, which
            lies beside it; raises if something is wrong.
    """
    before = {p: p.read_bytes() if p.exists() else None for p in lists}
    # Random names, which no existing file has.
    mark = os.urandom(4).hex()
    drafts = {p.with_name(f'{p.stem}_draft_{mark}.py'): p for p in configs}
    for path in (*drafts, *lists):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        for path, text in lists.items():
            path.write_text(text, 'utf-8')
        for draft, path in drafts.items():
            content = configs[path]
            if isinstance(content, Config):
                content = content.pretty_text
            # The folder's name may contain an apostrophe.
            draft.write_text(_STRING.sub(r'"\1"', content), 'utf-8')
            check(path, draft)
        for draft, path in drafts.items():
            draft.replace(path)
    except BaseException:
        for draft in drafts:
            draft.unlink(missing_ok=True)
        for path, old in before.items():
            if old is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(old)
        raise
