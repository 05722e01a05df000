"""Checks of the learners, and their losses and rectifiers."""

from collections.abc import Mapping
from typing import Any, Optional

from mmengine.dist import get_world_size
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import nn

from ..rectifiers import Rectifier
from .heads import feature_layer, final_head
from .recomputed_buffers import RecomputedBuffers
from .segmentor_forward import can_join
from .semi_train_cfg import SemiTrainCfg

IGNORE_INDEX = 255


def check_learners(students: Any) -> None:
    """Refuse learners that cannot teach each other.

    Args:
        students (nn.ModuleList): Stock segmentors.

    Raises:
        ValueError: If one is not an ``EncoderDecoder``, they differ in
            classes, do not have one output per class, have fewer than 2 or
            more than 255 classes or a wrong number of class weights, or
            ignore a label other than 255.
    """
    for i, student in enumerate(students):
        if not isinstance(student, EncoderDecoder):
            raise ValueError(
                f'model.segmentors[{i}] is a {type(student).__name__}: use '
                'an EncoderDecoder or a subclass, which have a backbone and '
                'a decode_head'
            )
    for setting in ('num_classes', 'out_channels'):
        found = [getattr(student, setting) for student in students]
        if len(set(found)) > 1:
            raise ValueError(
                f'model.segmentors must agree in decode_head.{setting}, '
                f'found {found}'
            )
    for i, student in enumerate(students):
        extra = getattr(student, 'auxiliary_head', None)
        extra = extra if isinstance(extra, nn.ModuleList) else [extra]
        for part in extra:
            own = getattr(part, 'num_classes', student.num_classes)
            if own != student.num_classes and not _has_own_loss(part):
                raise ValueError(
                    f'model.segmentors[{i}].auxiliary_head.num_classes is '
                    f'{own}: set it to {student.num_classes}, as in its '
                    'decode_head'
                )
        for part in (final_head(student), *extra):
            _check_class_weights(f'model.segmentors[{i}]', part)
    classes, outputs = students[0].num_classes, students[0].out_channels
    if classes < 2:
        raise ValueError(
            f'decode_head.num_classes must be 2 or more, found {classes}: a '
            'softmax over one output is 1 everywhere and teaches nothing. '
            'For one class and background set num_classes=2, out_channels=2'
        )
    if outputs != classes:
        raise ValueError(
            f'decode_head.out_channels must equal num_classes={classes}, '
            f'found {outputs}: pseudo labels need one output per class, even '
            f'for two classes. Set out_channels={classes} and '
            'loss_decode.use_sigmoid=False'
        )
    if classes > IGNORE_INDEX:
        raise ValueError(
            f'decode_head.num_classes must be at most {IGNORE_INDEX}, because '
            f'the label {IGNORE_INDEX} is ignored, found {classes}'
        )
    ignored = [
        getattr(final_head(student), 'ignore_index', IGNORE_INDEX)
        for student in students
    ]
    if set(ignored) != {IGNORE_INDEX}:
        raise ValueError(
            f'decode_head.ignore_index must be {IGNORE_INDEX} in all of '
            f'model.segmentors, found {ignored}'
        )


def _has_own_loss(head: Any) -> bool:
    """Whether a head learns another task, such as STDC's edges."""
    stock = BaseDecodeHead.loss_by_feat
    return getattr(type(head), 'loss_by_feat', stock) is not stock


def _check_class_weights(place: str, head: Any) -> None:
    """Refuse a loss with a wrong number of class weights."""
    losses = getattr(head, 'loss_decode', ())
    for loss in losses if isinstance(losses, nn.ModuleList) else [losses]:
        weights = getattr(loss, 'class_weight', None)
        if weights is not None and len(weights) != head.num_classes:
            raise ValueError(
                f'{place}: {type(loss).__name__}.class_weight of its '
                f'{type(head).__name__} has {len(weights)} values, but '
                f'num_classes={head.num_classes}: set one per class'
            )


def check_checkpointing(
    students: Any,
    recomputed: RecomputedBuffers,
    cfg: SemiTrainCfg,
    inputs: Mapping[str, Any],
) -> None:
    """Refuse activation checkpointing that DDP cannot handle.

    Args:
        students (nn.ModuleList): Stock segmentors.
        recomputed (RecomputedBuffers): Knows which of them recompute.
        cfg (SemiTrainCfg): Settings.
        inputs (dict): Batch, of which only the sizes are read; may be empty.

    Raises:
        ValueError: If such a student makes several forward passes in a run
            of several ranks.
    """
    if get_world_size() == 1:
        return
    keys = [key for key in ('labelled', 'weak') if key in inputs]
    sizes = {inputs[key].shape[-2:] for key in keys}
    passes = {
        'semi_train_cfg.joint_forward=False': not cfg.joint_forward,
        'semi_train_cfg.unlabelled_statistics=False': (
            not cfg.unlabelled_statistics
        ),
        f'semi_train_cfg.feature_dropout={cfg.feature_dropout}': (
            cfg.feature_dropout > 0
        ),
        'different crop_size of labelled and unlabelled images': (
            len(sizes) > 1
        ),
    }
    for i, student in enumerate(students):
        if not recomputed.concern(student):
            continue
        kind = type(student.decode_head).__name__
        own = f'the loss of model.segmentors[{i}], {kind}'
        several = {**passes, own: not can_join(student)}
        found = [name for name, holds in several.items() if holds]
        if found:
            raise ValueError(
                'activation checkpointing (with_cp=True of a backbone, or '
                'activation_checkpointing) works in several processes only '
                'if each student makes one forward pass, but '
                f'{", ".join(found)} makes several: disable it, or change '
                'that'
            )


def check_views(cfg: SemiTrainCfg, inputs: Mapping[str, Any]) -> None:
    """Refuse a batch with too few strong views or images.

    Args:
        cfg (SemiTrainCfg): Settings.
        inputs (dict): See ``SemiSegDataPreProcessor``.

    Raises:
        ValueError: If so; names the setting of the pipeline or the loader.
    """
    made = len(inputs.get('strong', ()))
    if 'strong' in inputs and cfg.strong_views > made:
        raise ValueError(
            f'semi_train_cfg.strong_views={cfg.strong_views}, but the '
            f'pipeline makes {made} strong view(s): set num_strong of '
            f'WeakStrongViews to {cfg.strong_views} or more'
        )
    mixed = any(key.startswith('mix_') for key in inputs)
    if mixed and len(inputs['weak']) < 2:
        raise ValueError(
            'CutMix needs two unlabelled images per batch on every device, '
            'but train_dataloader.batch_size=1 with k=1 gives one: set '
            'batch_size or dataset.k to 2 or more, or remove CutMix from the '
            'pipeline'
        )


def build_losses(
    cfg: SemiTrainCfg, learners: int, rectified: bool
) -> tuple[nn.ModuleList, bool]:
    """Build a loss on pseudo labels for every learner.

    Args:
        cfg (SemiTrainCfg): Settings.
        learners (int): Number of learners.
        rectified (bool): Whether there are rectifiers.

    Returns:
        tuple: The losses, and whether their labels are probabilities.

    Raises:
        ValueError: If one is a loss of a decode head, or they need
            probabilities that the other settings do not provide.
    """
    configs = cfg.losses(learners)
    losses = nn.ModuleList(MODELS.build(item) for item in configs)
    for item, loss in zip(configs, losses):
        if hasattr(loss, 'loss_name'):
            raise ValueError(
                f'semi_train_cfg.loss={item} is a decode-head loss, for one '
                'label map: use PseudoLabelLoss or ConsistencyLoss, or your '
                'own loss with the same arguments'
            )
    soft = {bool(getattr(x, 'takes_probabilities', False)) for x in losses}
    if len(soft) > 1:
        raise ValueError(
            'semi_train_cfg.loss: either all learners learn probabilities or '
            'all learn classes, but takes_probabilities of these differs: '
            f'{[type(loss).__name__ for loss in losses]}'
        )
    if soft == {True} and (rectified or cfg.confidence is not None):
        raise ValueError(
            f'semi_train_cfg.loss={cfg.loss} learns probabilities, but a '
            'rectifier and semi_train_cfg.confidence make class labels: set '
            'both to None, or use PseudoLabelLoss'
        )
    return losses, soft == {True}


def build_rectifiers(
    students: Any, rectifier: Optional[dict], cfg: SemiTrainCfg
) -> nn.ModuleList:
    """Build a rectifier for every learner, or none.

    Args:
        students (nn.ModuleList): Stock segmentors.
        rectifier (dict, optional): Config of a rectifier.
        cfg (SemiTrainCfg): Settings.

    Returns:
        nn.ModuleList: Empty where ``rectifier`` is None.

    Raises:
        ValueError: If no teacher makes labels, a learner has no classifier
            to take features from, or the config is not of a ``Rectifier``.
    """
    rectifiers = nn.ModuleList()
    if rectifier is None:
        return rectifiers
    if not isinstance(rectifier, Mapping):
        raise ValueError(
            f'model.rectifier must be a dict or None, got {rectifier!r}'
        )
    if not cfg.taught_by('teacher', len(students)):
        raise ValueError(
            'model.rectifier corrects the labels of teachers, but with '
            f'semi_train_cfg.self_source={cfg.self_source!r}, '
            f'self_weight={cfg.self_weight}, peer_source={cfg.peer_source!r} '
            'students make all labels: set rectifier=None, or a source to '
            "'teacher'"
        )
    for i, student in enumerate(students):
        found = feature_layer(student)
        if found is None:
            raise ValueError(
                'model.rectifier needs the classifier `conv_seg` of '
                f'model.segmentors[{i}].decode_head, but '
                f'{type(final_head(student)).__name__} has none; set '
                'rectifier=None or use another head'
            )
        settings = dict(
            num_classes=student.num_classes, channels=found.channels
        )
        built = MODELS.build(dict(rectifier), default_args=settings)
        if not isinstance(built, Rectifier):
            raise ValueError(
                f'model.rectifier is a {type(built).__name__}: use '
                'PrototypeRectifier, or make it a subclass of '
                'rml_mmseg.models.Rectifier'
            )
        rectifiers.append(built)
    return rectifiers
