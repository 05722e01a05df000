"""What is kept of the curves of a training."""

from __future__ import annotations

from collections.abc import Mapping

from ..scalars import Curve

# What PseudoLabelMonitorHook tells of a run, with masks of the unlabelled
# images and with two learners: the mIoU of the first learner's labels, made by
# its teacher or, where students label, by itself; the two learners' distance.
CURVES = dict(
    labels=('monitor/teachers.0/mIoU', 'monitor/students.0/mIoU'),
    coupling=('monitor/total_variation',),
)


def monitor_curves(train: Mapping[str, Curve]) -> dict[str, Curve]:
    """Curves of a training that a monitor watched.

    Args:
        train (dict[str, Curve]): All curves of its training.

    Returns:
        dict[str, Curve]: What there is of ``labels``, the mIoU in [0, 1] of
        the first learner's pseudo labels, and ``coupling``, the total
        variation of two learners.
    """
    found = {
        curve: next((train[name] for name in names if name in train), None)
        for curve, names in CURVES.items()
    }
    return {name: curve for name, curve in found.items() if curve}
