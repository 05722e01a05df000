"""Training curves that are kept with the results of a suite."""

from __future__ import annotations

from collections.abc import Mapping

from ..scalars import Curve

# Scalars of PseudoLabelMonitorHook: the mIoU of the first learner's labels,
# made by its teacher or, where students label, by itself (needs masks of the
# unlabelled images); the distance between the two learners.
CURVES = dict(
    labels=('monitor/teachers.0/mIoU', 'monitor/students.0/mIoU'),
    coupling=('monitor/total_variation',),
)


def monitor_curves(train: Mapping[str, Curve]) -> dict[str, Curve]:
    """Select the curves of ``PseudoLabelMonitorHook`` to keep.

    Args:
        train (dict[str, Curve]): All curves of a training.

    Returns:
        dict[str, Curve]: ``labels``, the mIoU in [0, 1] of the first
        learner's pseudo labels, and ``coupling``, the total variation of
        two learners, as far as there are any.
    """
    found = {
        curve: next((train[name] for name in names if name in train), None)
        for curve, names in CURVES.items()
    }
    return {name: curve for name, curve in found.items() if curve}
