"""Methods to compare, with the settings of this package's configs."""

import functools
from typing import Any, NamedTuple, Optional

from mmengine.config import Config

from rml_mmseg.engine.checks.registered import type_name
from rml_mmseg.packaged_configs import configs_folder
from rml_mmseg.run_length import LONG_RUN, length_settings

from .pipelines import BOXES

SUPERVISED = 'supervised'
RML = 'rml'
BASE = 'ablations/mean_teacher_camvid_1-8.py'
SOURCES = dict(
    mean_teacher=('Mean teacher', BASE),
    fixmatch=('FixMatch', 'rivals/fixmatch_camvid_1-8.py'),
    cutmix_seg=('CutMix-Seg', 'rivals/cutmix_seg_camvid_1-8.py'),
    classmix=('ClassMix', 'rivals/classmix_camvid_1-8.py'),
    cps=('CPS', 'rivals/cps_camvid_1-8.py'),
    dmt=('DMT', 'rivals/dmt_camvid_1-8.py'),
    unimatch=('UniMatch', 'rivals/unimatch_camvid_1-8.py'),
    unimatch_v2=('UniMatch V2', 'rivals/unimatch_v2_camvid_1-8.py'),
)
"""Titles, and the configs below ``configs`` that settings are read from."""
TITLES = {
    SUPERVISED: 'Supervised',
    **{name: title for name, (title, _) in SOURCES.items()},
    RML: 'RML',
}
"""Titles of all methods, by name, in the order of tables."""
WEIGHTS = dict(unimatch=0.5)
"""``unsup_weight`` of methods where it is not 1: UniMatch's two strong views
and perturbed features would weigh twice as much as the labels."""


class Method(NamedTuple):
    """Settings in which semi-supervised methods differ.

    Attributes:
        learners (int): Number of learners.
        semi_train_cfg (dict): Settings that differ from the defaults.
        num_strong (int): Number of strong views of an unlabelled image.
        recoloured (bool): Whether they differ from the weak one in colour.
        mixing (list[dict]): Transforms that mix the views, such as
            ``CutMix``.
        predict_on (str): The learner that is deployed.
        rectified (bool): Whether prototypes correct pseudo labels.
    """

    learners: int
    semi_train_cfg: dict[str, Any]
    num_strong: int
    recoloured: bool
    mixing: list[dict[str, Any]]
    predict_on: str
    rectified: bool


def find_method(
    name: str, learners: Optional[int] = None, iters: int = LONG_RUN
) -> Method:
    """Find the settings of a semi-supervised method.

    Args:
        name (str): Key of ``TITLES``, not ``'supervised'``.
        learners (int, optional): Number of learners of ``'rml'``, one or
            two; two by default. Other methods have a fixed number.
        iters (int): Iterations of a stage. Defaults to ``LONG_RUN``.

    Raises:
        ValueError: If another number of learners is asked for.
    """
    if name == RML:
        return _rml(learners or 2, iters)
    method = _read_method(SOURCES[name][1])
    if name in WEIGHTS:
        method.semi_train_cfg['unsup_weight'] = WEIGHTS[name]
    if learners not in (None, method.learners):
        raise ValueError(
            f'--learners={learners} is for --method {RML}; {name} has '
            f'{method.learners}. Leave it out'
        )
    return method


def recolours(name: str) -> bool:
    """Whether a method has strong views that differ in colour."""
    return name != SUPERVISED and find_method(name).recoloured


def networks_of(name: str, learners: Optional[int] = None) -> int:
    """How many networks a method trains."""
    if name == SUPERVISED:
        return 1
    return find_method(name, learners).learners


def _rml(learners: int, iters: int) -> Method:
    """RML; with one learner it is a mean teacher under CutMix."""
    pair = learners > 1
    return Method(
        learners=learners,
        semi_train_cfg=length_settings(iters).semi_train_cfg if pair else {},
        num_strong=learners,
        recoloured=True,
        mixing=BOXES,
        predict_on='teachers.0',
        rectified=pair,
    )


def _read_method(source: str) -> Method:
    """Read a method from a config of this package.

    Args:
        source (str): Path below ``configs``. Settings that its
            ``semi_train_cfg`` shares with the mean teacher's, such as weights
            for short runs of small networks, are not the method's.
    """
    cfg, base = (_read(path) for path in (source, BASE))
    shared = base.model.semi_train_cfg
    steps = cfg.train_dataloader.dataset.unlabelled.pipeline
    names = [type_name(step) for step in steps]
    begin = names.index('WeakStrongViews')
    views = steps[begin]
    recoloured = bool(views.get('strong'))
    return Method(
        learners=len(cfg.model.segmentors),
        semi_train_cfg={
            key: value
            for key, value in cfg.model.semi_train_cfg.to_dict().items()
            if key not in shared or shared[key] != value
        },
        # Strong views that are not recoloured are all the same.
        num_strong=views.num_strong if recoloured else 1,
        recoloured=recoloured,
        mixing=[
            step.to_dict()
            for step in steps[begin + 1 : names.index('PackSemiSegInputs')]
        ],
        predict_on=cfg.model.test_cfg.predict_on,
        rectified=cfg.model.get('rectifier') is not None,
    )


@functools.cache
def _read(source: str) -> Config:
    path = configs_folder() / source
    return Config.fromfile(path, import_custom_modules=False)
