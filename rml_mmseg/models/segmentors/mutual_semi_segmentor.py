"""Mutual learning of several segmentors from unlabelled images."""

from collections.abc import Sequence
from typing import Any, Optional, Union

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import BaseSegmentor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor, nn

from ..utils.cutmix import apply_mask
from ..utils.ema import ema_update
from ..utils.learner_cfg import learner_cfg, without_weights
from ..utils.learners import build_rectifiers, check_learners
from ..utils.mixing import mix_masks
from ..utils.monitored import monitored
from ..utils.plain_checkpoint import fan_out
from ..utils.pseudo_labels import PseudoLabeller
from ..utils.segmentor_forward import (
    channels_last,
    resize_logits,
    student_forward,
)
from ..utils.settings import (
    ENSEMBLE,
    SemiTrainCfg,
    check_choice,
    learner_names,
    prediction_key,
)


@MODELS.register_module()
class MutualSemiSegmentor(BaseSegmentor):
    """Robust Mutual Learning over any stock segmentors (arXiv 2106.00609).

    Every learner is a student, trained by gradients, and a teacher, its
    moving average. Teachers label the weak views of unlabelled images;
    each rectifier weighs its own teacher's labels (Eq. 6); each student
    learns from ground truth (Eq. 1) and, on a strong and mixed view, from
    its own and its peers' labels (Eq. 5). ``MutualEMAHook`` moves teachers
    and prototypes.

    One learner with ``self_weight`` alone is Mean Teacher; two with
    ``peer_source='student'`` and no ``self_weight`` are direct mutual
    learning; two as they come are the paper's indirect mutual learning,
    and with a rectifier Robust Mutual Learning.

    Args:
        segmentors (list[dict] | dict): Configs of stock segmentors.
        rectifier (dict, optional): Config of a rectifier, built for every
            learner; ``num_classes`` and ``channels`` are filled in.
        semi_train_cfg (dict, optional): See ``SemiTrainCfg``.
        test_cfg (dict, optional): Stock settings (``mode``, ``stride``,
            ``crop_size``) for every learner; ``predict_on``, the deployed
            learner: ``'students.{i}'``, ``'teachers.{i}'`` or
            ``'ensemble'``, the mean of the teachers' probabilities
            (default ``'teachers.0'``); ``score``, further learners that
            ``LearnersIoUMetric`` scores in the same pass.
        data_preprocessor (dict, optional): A ``SemiSegDataPreProcessor``.
        pretrained (str, optional): Not supported here, accepted because
            stock tools set it to None.
        train_cfg (dict, optional): Likewise.
        init_cfg (dict, optional): Likewise.

    Raises:
        ValueError: If a setting is wrong; the message names it.
    """

    def __init__(
        self,
        segmentors: Union[dict, Sequence[dict]],
        rectifier: Optional[dict] = None,
        semi_train_cfg: Optional[dict] = None,
        test_cfg: Optional[dict] = None,
        data_preprocessor: Optional[dict] = None,
        pretrained: Optional[str] = None,
        train_cfg: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        if pretrained is not None or init_cfg is not None:
            raise ValueError(
                'pretrained and init_cfg belong into the configs of '
                '`model.segmentors`, not into the wrapper'
            )
        if isinstance(segmentors, dict):
            segmentors = [segmentors]
        if not segmentors:
            raise ValueError('model.segmentors must name at least one')
        test_cfg = dict(test_cfg or {})
        predict_on = test_cfg.pop('predict_on', 'teachers.0')
        score = test_cfg.pop('score', ())
        configs = [learner_cfg(cfg, test_cfg) for cfg in segmentors]
        self.students = nn.ModuleList(MODELS.build(c) for c in configs)
        self.teachers = nn.ModuleList(
            MODELS.build(without_weights(c)) for c in configs
        )
        self.teachers.requires_grad_(False).eval()
        check_learners(self.students)
        self.rectifiers = build_rectifiers(self.students, rectifier)
        cfg = SemiTrainCfg.build(semi_train_cfg, len(self.students))
        self.semi_train_cfg = cfg
        self.pseudo_label_loss = MODELS.build(dict(cfg.loss))
        self.pseudo_labeller = PseudoLabeller(cfg, self.num_classes)
        names = learner_names(len(self.students))
        check_choice('model.test_cfg.predict_on', predict_on, names)
        for name in score:
            check_choice('model.test_cfg.score', name, names)
        self.predict_on, self.score = predict_on, tuple(score)
        if cfg.channels_last:
            self.to(memory_format=torch.channels_last)
        self.iteration = 0
        self.burning_in = False
        self.ema_attached = False
        self.teachers_loaded = False
        self.record: Optional[dict[str, Any]] = None

    @property
    def _first(self) -> Any:
        return self.students[0]

    @property
    def num_classes(self) -> int:
        """int: Number of classes K."""
        return self._first.num_classes

    @property
    def out_channels(self) -> int:
        """int: Channels of the prediction."""
        return self._first.out_channels

    @property
    def align_corners(self) -> bool:
        """bool: As of the deployed learner's head."""
        return self.learner(self.predict_on).align_corners

    @property
    def decode_head(self) -> nn.Module:
        """nn.Module: The deployed learner's head, for stock TTA."""
        return self.learner(self.predict_on).decode_head

    def learner(self, name: str) -> Any:
        """The network of a name, the first teacher for the ensemble."""
        if name == ENSEMBLE:
            return self.teachers[0]
        group, index = name.split('.')
        return getattr(self, group)[int(index)]

    def init_weights(self) -> None:
        """Initialise the students and copy them to the teachers."""
        students: Any = self.students
        for student in students:
            student.init_weights()
        self.sync_teachers()

    def sync_teachers(self) -> None:
        """Make every teacher equal to its student."""
        self.update_teachers(momentum=0.0)

    def update_teachers(self, momentum: float, buffers: str = 'copy') -> None:
        """Move every teacher towards its student."""
        for teacher, student in zip(self.teachers, self.students):
            ema_update(teacher, student, momentum, buffers)

    def train(self, mode: bool = True) -> 'MutualSemiSegmentor':
        """Set the students' mode; teachers always stay in eval mode."""
        super().train(mode)
        self.teachers.eval()
        return self

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        fan_out(state_dict, prefix, list(self.students))
        self.teachers_loaded = any(
            key.startswith(f'{prefix}teachers.') for key in state_dict
        )
        super()._load_from_state_dict(state_dict, prefix, *args)

    def loss(self, inputs: dict, data_samples: dict) -> dict[str, Tensor]:
        """Losses of all students.

        Args:
            inputs (dict): See ``SemiSegDataPreProcessor``.
            data_samples (dict): ``labelled`` and ``unlabelled`` samples;
                the latter are not read.

        Returns:
            dict[str, Tensor]: Losses named ``students.{i}.*``.
        """
        self._check_ready(inputs)
        if self.semi_train_cfg.channels_last:
            inputs = {**inputs, **channels_last(inputs)}
        if self.burning_in:
            return self._supervised_loss(inputs, data_samples)
        labels = self.pseudo_labeller(self, inputs)
        if self.record is not None:
            self.record.update(monitored(inputs, data_samples))
        if not labels[0]:
            return self._supervised_loss(inputs, data_samples)
        partner = torch.arange(len(inputs['weak'])).roll(1)
        partner = partner.to(inputs['weak'].device)
        losses: dict[str, Tensor] = {}
        for i, student in enumerate(self.students):
            view = inputs['strong'][i % len(inputs['strong'])]
            targets, valid = labels[i], inputs['valid']
            masks = mix_masks(inputs, targets[0][1], partner)
            if masks is not None:
                view = apply_mask(view, masks, partner)
                valid = apply_mask(valid, masks, partner)
                targets = [
                    (name, apply_mask(ids, masks, partner), weight)
                    for name, ids, weight in targets
                ]
            supervised, logits = student_forward(
                student,
                inputs['labelled'],
                data_samples['labelled'],
                view,
                self.semi_train_cfg.joint_forward,
                self.semi_train_cfg.unlabelled_statistics,
            )
            logits = resize_logits(student, logits, view.shape[-2:])
            costs = self.pseudo_label_loss(
                logits, [ids for _, ids, _ in targets], valid
            )
            for (name, _, weight), cost in zip(targets, costs):
                supervised[f'loss_{name}'] = weight * cost
            losses.update(add_prefix(supervised, f'students.{i}'))
            if self.record is not None:
                self.record.setdefault('mixed', []).append(
                    (view, targets, valid, logits.detach())
                )
        return losses

    def _supervised_loss(
        self, inputs: dict, data_samples: dict
    ) -> dict[str, Tensor]:
        """Losses on labelled images alone (Eq. 1)."""
        losses: dict[str, Tensor] = {}
        students: Any = self.students
        for i, student in enumerate(students):
            own = student.loss(inputs['labelled'], data_samples['labelled'])
            losses.update(add_prefix(own, f'students.{i}'))
        return losses

    def _check_ready(self, inputs: dict) -> None:
        if not self.ema_attached:
            raise RuntimeError(
                'the teachers would never move: add '
                "dict(type='MutualEMAHook') to custom_hooks"
            )
        mixed = any(key.startswith('mix_') for key in inputs)
        if mixed and len(inputs['weak']) < 2:
            raise ValueError(
                'CutMix needs two unlabelled images in a batch on every '
                'device, and train_dataloader.batch_size=1 with k=1 gives '
                'one: set batch_size or dataset.k to 2 or more, or take '
                'CutMix out of the pipeline'
            )

    def predict_logits(
        self,
        name: str,
        inputs: Tensor,
        batch_img_metas: list[dict],
        known: Optional[dict[str, Tensor]] = None,
    ) -> Tensor:
        """Logits of one learner or of the ensemble.

        Args:
            name (str): Which.
            inputs (Tensor): (N, 3, H, W).
            batch_img_metas (list[dict]): Meta information of the images.
            known (dict[str, Tensor], optional): Logits computed so far, by
                name; what is missing is added.

        Returns:
            Tensor: (N, K, H, W).
        """
        known = {} if known is None else known
        if name not in known and name != ENSEMBLE:
            # Sliding windows write into the meta information.
            metas = [dict(meta) for meta in batch_img_metas]
            known[name] = self.learner(name).inference(inputs, metas)
        elif name not in known:
            probs = [
                self.predict_logits(
                    f'teachers.{i}', inputs, batch_img_metas, known
                )
                .float()
                .softmax(1)
                for i in range(len(self.teachers))
            ]
            # The softmax of these is the mean of the probabilities.
            known[name] = torch.stack(probs).mean(0).clamp(min=1e-12).log()
        return known[name]

    def predict(
        self,
        inputs: Tensor,
        data_samples: Optional[list[SegDataSample]] = None,
    ) -> list[SegDataSample]:
        """Predict with the deployed learner and all that are scored.

        Args:
            inputs (Tensor): (N, 3, H, W).
            data_samples (list[SegDataSample], optional): Their meta
                information.

        Returns:
            list[SegDataSample]: With ``pred_sem_seg`` and ``seg_logits``
            of the deployed learner, and ``pred_{name}`` of each other one
            in ``test_cfg.score``.
        """
        if data_samples is None:
            size = tuple(inputs.shape[2:])
            meta = dict(
                ori_shape=size,
                img_shape=size,
                pad_shape=size,
                padding_size=[0, 0, 0, 0],
            )
            metas = [dict(meta) for _ in inputs]
        else:
            metas = [dict(sample.metainfo) for sample in data_samples]
        known: dict[str, Tensor] = {}
        logits = self.predict_logits(self.predict_on, inputs, metas, known)
        others = {
            name: self._label_maps(
                self.predict_logits(name, inputs, metas, known), data_samples
            )
            for name in self.score
            if name != self.predict_on
        }
        results = self.postprocess_result(logits, data_samples)
        if self.predict_on in self.score:
            others[self.predict_on] = [r.pred_sem_seg for r in results]
        for name, predictions in others.items():
            for result, prediction in zip(results, predictions):
                result.set_data({prediction_key(name): prediction})
        return results

    def _label_maps(
        self, logits: Tensor, data_samples: Optional[list[SegDataSample]]
    ) -> list[PixelData]:
        """Label maps at the original size."""
        blank = data_samples and [
            SegDataSample(metainfo=sample.metainfo) for sample in data_samples
        ]
        results = self.postprocess_result(logits, blank)
        return [result.pred_sem_seg for result in results]

    def extract_feat(self, inputs: Tensor) -> Any:
        """Features of the deployed learner."""
        return self.learner(self.predict_on).extract_feat(inputs)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list) -> Tensor:
        """Logits (N, K, H, W) of the deployed learner."""
        return self.predict_logits(self.predict_on, inputs, batch_img_metas)

    def _forward(
        self,
        inputs: Tensor,
        data_samples: Optional[list[SegDataSample]] = None,
    ) -> Tensor:
        """Unscaled output of the deployed learner."""
        return self.learner(self.predict_on)._forward(inputs, data_samples)
