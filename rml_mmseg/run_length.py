"""Settings that depend on the length of a stage."""

from typing import Any, NamedTuple

LONG_RUN = 20000
"""Iterations from which a stage counts as long as one of the paper."""


class LengthSettings(NamedTuple):
    """Settings of generated configs that depend on the length of a stage.

    Attributes:
        burn_in (int): Initial iterations that learn from ground truth alone.
        teachers (dict): Config of the hook that updates the teachers.
        rectifier (dict): Settings of ``model.rectifier``.
        semi_train_cfg (dict): Settings of ``model.semi_train_cfg`` for two
            learners.
    """

    burn_in: int
    teachers: dict[str, Any]
    rectifier: dict[str, Any]
    semi_train_cfg: dict[str, Any]


def length_settings(iters: int) -> LengthSettings:
    """The paper's settings for a long stage, adapted ones for a short stage.

    Args:
        iters (int): Iterations of a stage.
    """
    if iters >= LONG_RUN:
        return LengthSettings(
            burn_in=iters // 10,
            teachers=dict(type='MutualEMAHook', momentum=0.999, warm_up=True),
            rectifier=dict(momentum=0.9999),
            semi_train_cfg={},
        )
    return LengthSettings(
        burn_in=iters // 2,
        # Teachers and prototypes of a short run must follow faster.
        teachers=dict(type='MutualEMAHook', momentum=0.99),
        # Not in the paper; the best with few labels: docs/results.md.
        rectifier=dict(momentum=0.95, alignment=4.0),
        semi_train_cfg=dict(p0='stage', ensemble_p0=True),
    )
