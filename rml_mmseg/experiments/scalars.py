"""Scalars that mmengine logged for a run."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

Curve = list[tuple[int, float]]


def read_json_lines(path: Path) -> list[dict]:
    """Read the JSON objects of a file, one per line.

    A truncated line, such as the last one of a killed run, is left out.
    """
    found = []
    for line in path.read_text('utf-8', errors='replace').splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


def read_curves(paths: Iterable[Path]) -> tuple[dict, dict]:
    """Read the curves of training and of validation, by name.

    Args:
        paths (Iterable[Path]): ``scalars.json`` of a run and of those that
            resumed it, in order; the later file wins for equal steps.

    Returns:
        tuple[dict[str, Curve], dict[str, Curve]]: Steps and finite values.
    """
    curves: tuple[dict, dict] = ({}, {})
    for path in paths:
        for entry in read_json_lines(path):
            step = entry.get('step')
            if not isinstance(step, (int, float)):
                continue
            # Only training lines name their iteration or epoch.
            kind = curves[0 if 'iter' in entry or 'epoch' in entry else 1]
            for name, value in entry.items():
                if name in ('step', 'iter', 'epoch'):
                    continue
                if isinstance(value, (int, float)) and math.isfinite(value):
                    kind.setdefault(name, {})[int(step)] = float(value)
    train, val = (
        {name: sorted(points.items()) for name, points in kind.items()}
        for kind in curves
    )
    return train, val


def spread(items: Sequence, most: int) -> list:
    """At most ``most`` items, evenly spread and including the last."""
    if len(items) <= most:
        return list(items)
    last = len(items) - 1
    if most == 1:
        return [items[last]]
    return [items[round(i * last / (most - 1))] for i in range(most)]
