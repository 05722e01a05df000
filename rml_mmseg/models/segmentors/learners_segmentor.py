"""Several learners of one task, any of which can predict."""

import warnings
from collections.abc import Sequence
from typing import Any, Optional, Union

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import BaseSegmentor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from rml_mmseg.setting_checks import check_choice, check_known, list_of_names

from ..utils.heads import class_probs, sums_to_logits
from ..utils.learner_cfg import (
    check_normalisation,
    learner_cfg,
    segmentor_cfgs,
    without_weights,
)
from ..utils.learner_names import ENSEMBLE, learner_names, prediction_key

# The last line holds settings of stock heads that refine points.
TEST_CFG = [
    *('predict_on', 'score', 'mode', 'crop_size', 'stride'),
    *('subdivision_steps', 'subdivision_num_points', 'scale_factor'),
]


class LearnersSegmentor(BaseSegmentor):
    """Students and teachers with the interface of one stock segmentor.

    The deployed learner, ``predict_on``, answers what stock tools call on a
    segmentor; one pass over an image also gives the predictions of all
    learners in ``score``. How learners learn is up to the subclass.

    Args:
        segmentors (list[dict] | dict): Configs of stock segmentors.
        test_cfg (dict, optional): Stock settings for every learner, and
            ``predict_on`` and ``score``.
        data_preprocessor (dict, optional): Config of the preprocessor.

    Raises:
        ValueError: If there is no segmentor, or the name of a learner or
            setting is unknown. Settings that only a custom head reads belong
            into the ``test_cfg`` of an entry of ``segmentors``.
    """

    #: Set by `compat` if test-time augmentation merges the predictions.
    views_are_merged = False

    def __init__(
        self,
        segmentors: Union[dict, Sequence[dict]],
        test_cfg: Optional[dict] = None,
        data_preprocessor: Optional[dict] = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        entries = segmentor_cfgs(segmentors)
        if not entries:
            raise ValueError('model.segmentors must have at least one entry')
        check_normalisation(entries, data_preprocessor)
        test_cfg = dict(test_cfg or {})
        predict_on = test_cfg.pop('predict_on', 'teachers.0')
        score = test_cfg.pop('score', None) or ()
        score = list_of_names('model.test_cfg.score', score)
        check_known('model.test_cfg', test_cfg, TEST_CFG)
        configs = [learner_cfg(cfg, test_cfg) for cfg in entries]
        with warnings.catch_warnings():
            # mmseg advises one output for two classes, but pseudo labels need
            # one output per class.
            warnings.filterwarnings('ignore', 'For binary segmentation')
            self.students = nn.ModuleList(MODELS.build(c) for c in configs)
            self.teachers = nn.ModuleList(
                MODELS.build(without_weights(c)) for c in configs
            )
        self.teachers.requires_grad_(False).eval()
        names = learner_names(len(self.students))
        check_choice('model.test_cfg.predict_on', predict_on, names)
        for name in score:
            check_choice('model.test_cfg.score', name, names)
        self.predict_on, self.score = predict_on, tuple(score)

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
        """bool: ``align_corners`` of the deployed learner's head."""
        return self.learner(self.predict_on).align_corners

    @property
    def decode_head(self) -> nn.Module:
        """nn.Module: The deployed learner's head, for stock TTA."""
        return self.learner(self.predict_on).decode_head

    def learner(self, name: str) -> Any:
        """Network with this name; the first teacher for the ensemble."""
        if name == ENSEMBLE:
            return self.teachers[0]
        group, index = name.split('.')
        return getattr(self, group)[int(index)]

    def train(self, mode: bool = True) -> 'LearnersSegmentor':
        """Set the students' mode; teachers are always in eval mode.

        That mode is set only when a run begins (``MutualEMAHook``) or a test
        begins: walking through their modules in every iteration would cost
        some milliseconds.
        """
        self.training = mode
        for name, child in self.named_children():
            if name != 'teachers':
                child.train(mode)
        if not mode:
            # Converting to SyncBatchNorm loses the mode of a layer.
            self.teachers.eval()
        return self

    def predict_logits(
        self,
        name: str,
        inputs: Tensor,
        batch_img_metas: list[dict],
        known: Optional[dict[str, Tensor]] = None,
    ) -> Tensor:
        """Logits of one learner or of the ensemble.

        Args:
            name (str): Name of the learner, or ``'ensemble'``.
            inputs (Tensor): (N, 3, H, W).
            batch_img_metas (list[dict]): Meta information of the images.
            known (dict[str, Tensor], optional): Logits computed so far, by
                name; missing ones are added.

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
                class_probs(
                    teacher,
                    self.predict_logits(
                        f'teachers.{i}', inputs, batch_img_metas, known
                    ),
                )
                for i, teacher in enumerate(self.teachers)
            ]
            # The softmax of these is the mean of the probabilities.
            known[name] = sums_to_logits(torch.stack(probs).mean(0))
        return known[name]

    def predict(
        self,
        inputs: Tensor,
        data_samples: Optional[list[SegDataSample]] = None,
    ) -> list[SegDataSample]:
        """Predict with the deployed learner and with those to be scored.

        Args:
            inputs (Tensor): (N, 3, H, W).
            data_samples (list[SegDataSample], optional): Their meta
                information.

        Returns:
            list[SegDataSample]: With ``pred_sem_seg`` and ``seg_logits`` of
            the deployed learner and, if there is ground truth, the field
            :func:`prediction_key` of each learner in ``test_cfg.score``.
            Test-time augmentation, which merges no such field, gets none.
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
        truth = data_samples and all('gt_sem_seg' in s for s in data_samples)
        score = self.score if truth and not self.views_are_merged else ()
        known: dict[str, Tensor] = {}
        logits = self.predict_logits(self.predict_on, inputs, metas, known)
        others = {
            name: self._label_maps(
                name,
                self.predict_logits(name, inputs, metas, known),
                data_samples,
            )
            for name in score
            if name != self.predict_on
        }
        results = self.postprocess_result(logits, data_samples)
        if self.predict_on in score:
            others[self.predict_on] = [r.pred_sem_seg for r in results]
        for name, predictions in others.items():
            for result, prediction in zip(results, predictions):
                result.set_data({prediction_key(name): prediction})
        if self.views_are_merged:
            for result in results:
                result.set_metainfo(dict(views_are_merged=True))
        return results

    def _label_maps(
        self,
        name: str,
        logits: Tensor,
        data_samples: Optional[list[SegDataSample]],
    ) -> list[PixelData]:
        """Label maps at the original size, resized as the learner does."""
        blank = data_samples and [
            SegDataSample(metainfo=sample.metainfo) for sample in data_samples
        ]
        results = self.learner(name).postprocess_result(logits, blank)
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
