"""Rectifiers that align with the labelled images see their ground truth."""

import torch

from tests.toys import toy_batch, toy_mutual

ALIGNED = dict(
    type='PrototypeRectifier',
    momentum=0.0,
    alignment=1.0,
    alignment_target='labels',
)


def _labels(samples):
    return torch.cat([s.gt_sem_seg.data for s in samples['labelled']])


def _updated(model, inputs, samples):
    model.train()
    model.loss(inputs, samples)
    for rectifier in model.rectifiers:
        rectifier.update()
    return [rectifier.shares for rectifier in model.rectifiers]


def test_every_rectifier_notes_the_labels():
    model = toy_mutual(2, rectifier=ALIGNED)
    inputs, samples = toy_batch()
    samples['labelled'][0].gt_sem_seg.data[0, 0] = 255
    truth = _labels(samples)
    expected = [float((truth == k).sum()) for k in range(3)]
    assert sum(expected) < truth.numel()
    for shares in _updated(model, inputs, samples):
        assert shares[:, 0].tolist() == expected
        assert shares[:, 1].sum() > 0


def test_of_soft_labels_the_teachers_shares_are_noted_instead():
    cfg = dict(ALIGNED, alignment_target='teacher')
    inputs, samples = toy_batch()
    before, _ = _updated(toy_mutual(2, rectifier=cfg), inputs, samples)
    torch.testing.assert_close(before[:, 0].sum(), before[:, 1].sum())


def test_nothing_is_noted_in_the_burn_in():
    model = toy_mutual(2, rectifier=ALIGNED)
    model.burning_in = True
    for shares in _updated(model, *toy_batch()):
        assert not shares.any()


def test_a_rectifier_of_the_users_own_need_not_take_labels():
    model = toy_mutual(1)
    assert not model.rectifiers[0].takes_labels
    model.rectifiers[0].accumulate_labels = None
    model.train()
    assert model.loss(*toy_batch())
