"""How a config differs from the one that a checkpoint was trained with."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .whole_checkpoint import CheckpointError

# Parts of a config that say how a network is trained.
PARTS = (
    'model',
    'custom_hooks',
    'optim_wrapper',
    'param_scheduler',
    'randomness',
    'train_cfg',
    'train_dataloader',
)
# Settings in them that do not affect a resumed run.
WITHOUT_EFFECT = (
    'init_cfg',
    'num_workers',
    'persistent_workers',
    'pin_memory',
    'pretrained',
    'prefetch_factor',
    'test_cfg',
    'val_begin',
    'val_interval',
)
ABSENT = 'not set'
# Changed settings that a warning lists.
MOST_LINES = 20
# Settings that optimisers and schedulers restore from a checkpoint.
KEPT = re.compile(
    r'\boptimizer\.|^param_scheduler\b|^train_cfg\.iters_per_stage$'
)
KEPT_MESSAGE = (
    '\nOptimisers and schedulers are restored from the checkpoint, so '
    'changed settings of optimizer and param_scheduler have no effect, and a '
    'longer stage continues at the final learning rate of its schedule. To '
    'train longer, raise train_cfg.stages; to change the rates, start a new '
    'run with load_from'
)


def compare_texts(before: str, now: str) -> str:
    """Warning for a run that is resumed with other settings.

    Args:
        before (str): ``Config.pretty_text`` that its checkpoint holds.
        now (str): ``Config.pretty_text`` of the resumed run.

    Returns:
        str: Empty if nothing changed or the former settings are not known.

    Raises:
        CheckpointError: If the checkpoint is of another optimiser.
    """
    known = read_settings(before)
    changes = changed_settings(known, read_settings(now)) if known else {}
    lines = [f'{k}: {a!r} -> {b!r}' for k, (a, b) in changes.items()]
    for name, line in zip(changes, lines):
        if name.endswith('optimizer.type'):
            raise CheckpointError(
                'the checkpoint to resume from was saved with another '
                f'optimiser ({line}). Use load_from to start a new run with '
                'its weights'
            )
    if not lines:
        return ''
    kept = any(KEPT.search(name) for name in changes)
    return (
        'the run resumes with other settings than those of its checkpoint:\n'
        + '\n'.join(lines[:MOST_LINES])
        + ('\n...' if len(lines) > MOST_LINES else '')
        + (KEPT_MESSAGE if kept else '')
    )


def read_settings(text: str) -> dict[str, Any]:
    """Read the text of a config without running it.

    Args:
        text (str): ``Config.pretty_text``, as a checkpoint holds it.

    Returns:
        dict: Its settings, without those that are not plain data.
    """
    found = {}
    try:
        lines = ast.parse(text).body
    except (SyntaxError, ValueError):
        return {}
    for line in lines:
        if isinstance(line, ast.Assign) and isinstance(
            line.targets[0], ast.Name
        ):
            try:
                found[line.targets[0].id] = _value(line.value)
            except (TypeError, ValueError):
                continue
    return found


def _value(node: ast.expr) -> Any:
    """Value of an expression made of literals and ``dict(...)`` calls."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {
            ast.literal_eval(key): _value(value)
            for key, value in zip(node.keys, node.values)
            if key is not None
        }
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == 'dict'
    ):
        # Positional arguments, if keys are not names: dict({0: 1.0}).
        found: dict[Any, Any] = {}
        for item in node.args:
            found.update(_value(item))
        return found | {k.arg: _value(k.value) for k in node.keywords}
    return ast.literal_eval(node)


def changed_settings(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Training settings that differ between two configs.

    Args:
        before (Mapping): Settings that a run began with.
        now (Mapping): Settings that it is resumed with.

    Returns:
        dict: Both values by the setting's dotted name, ``ABSENT`` for a
        missing one. Settings that cannot matter, such as the number of
        workers or the weights to start from, are left out.
    """
    first, second = (
        dict(_flat({k: v for k, v in cfg.items() if k in PARTS}))
        for cfg in (before, now)
    )
    return {
        name: (first.get(name, ABSENT), second.get(name, ABSENT))
        for name in sorted({*first, *second})
        if first.get(name, ABSENT) != second.get(name, ABSENT)
    }


def _flat(value: Any, name: str = '') -> Iterator[tuple[str, Any]]:
    items: Any
    if isinstance(value, Mapping):
        items = [(k, v) for k, v in value.items() if k not in WITHOUT_EFFECT]
    elif isinstance(value, (list, tuple)) and any(
        isinstance(item, Mapping) for item in value
    ):
        items = list(enumerate(value))
    else:
        if name.endswith('type') and isinstance(value, str):
            # The module or scope in front of the name does not matter.
            value = value.rsplit('.', 1)[-1]
        yield name, _plain(value)
        return
    for key, part in items:
        yield from _flat(part, f'{name}.{key}' if name else str(key))


def _plain(value: Any) -> Any:
    """Turn tuples into lists, as a config may write either."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
