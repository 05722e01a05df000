"""Cost of the networks alone in an iteration."""

from typing import Any, Callable

import torch

from rml_mmseg.engine.loops.stage_schedules import all_optimizers
from rml_mmseg.engine.unwrap import unwrap
from rml_mmseg.models.utils.segmentor_forward import (
    resize_logits,
    student_forward,
)
from rml_mmseg.models.utils.target_costs import target_costs

from .measured_loop import MeasuredLoop


def make_floor(loop: MeasuredLoop) -> tuple[Callable[[], None], Any]:
    """Make a function that does the networks' work of one iteration.

    It runs the students' forward passes, losses and one backward pass, the
    teachers' forward passes and the optimiser steps on fixed tensors,
    without loading data, making or mixing labels, EMA or hooks. The pass of
    ``feature_dropout`` is not part of it and counts as extra cost.

    Returns:
        tuple: The function, and the batch it reads.
    """
    runner = loop.runner
    model: Any = unwrap(runner.model)
    batch = next(loop.dataloader_iterator)
    model.record = {}
    data = model.data_preprocessor(batch, True)
    with runner.optim_wrapper.optim_context(runner.model):
        model.loss(**data)
    mixed, model.record = model.record['mixed'], None
    for rectifier in model.rectifiers:
        rectifier.discard()
    inputs, samples = data['inputs'], data['data_samples']['labelled']
    cfg = model.semi_train_cfg
    optimizers = all_optimizers(runner.optim_wrapper)

    def floor() -> None:
        total: Any = 0.0
        with runner.optim_wrapper.optim_context(runner.model):
            with torch.no_grad():
                for teacher in model.teachers:
                    teacher._forward(inputs['weak'])
            for student, criterion, (view, targets, valid, _) in zip(
                model.students, model.pseudo_label_losses, mixed
            ):
                losses, logits = student_forward(
                    student,
                    inputs['labelled'],
                    samples,
                    view,
                    cfg.joint_forward,
                    cfg.unlabelled_statistics,
                )
                logits = resize_logits(student, logits, view.shape[-2:])
                for name, loss in losses.items():
                    if 'loss' in name:
                        total = total + loss
                for _, cost in target_costs(criterion, logits, targets, valid):
                    total = total + cost
        total.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    return floor, batch
