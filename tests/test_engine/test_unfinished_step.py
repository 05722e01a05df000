"""What a checkpoint within an accumulated step keeps."""

import math

import torch
from mmengine.hooks import Hook

from rml_mmseg.compat import SAFE_LOADING
from tests.toys import toy_runner


class InfiniteLoss(Hook):
    """Makes the first loss infinite; its gradients stay finite."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        runner.optim_wrapper.update_params = lambda loss: type(
            runner.optim_wrapper
        ).update_params(
            runner.optim_wrapper, loss if runner.iter else loss + math.inf
        )


def trained(folder, hooks=(InfiniteLoss,), **settings):
    """The weights after two steps of two iterations each."""
    runner = toy_runner(
        folder,
        [hook() for hook in hooks],
        default_hooks=dict(
            logger=None,
            timer=None,
            checkpoint=dict(
                type='AtomicCheckpointHook', by_epoch=False, interval=1
            ),
        ),
        optim_wrapper=dict(
            constructor='MutualOptimWrapperConstructor',
            on_nonfinite='skip',
            optimizer=dict(type='SGD', lr=0.1),
            accumulative_counts=2,
        ),
        **settings,
    )
    runner.train()
    path = folder / 'work' / 'iter_4.pth'
    return torch.load(path, weights_only=SAFE_LOADING)['state_dict']


def test_a_loss_that_is_not_finite_is_not_forgotten(tmp_path):
    expected = trained(tmp_path / 'whole')
    middle = tmp_path / 'whole' / 'work' / 'iter_1.pth'
    found = trained(tmp_path / 'rest', load_from=str(middle), resume=True)
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_a_checkpoint_of_before_says_nothing_of_the_losses(tmp_path):
    expected = trained(tmp_path / 'whole', hooks=[])
    middle = tmp_path / 'whole' / 'work' / 'iter_1.pth'
    checkpoint = torch.load(middle, weights_only=SAFE_LOADING)
    del checkpoint['unfinished_step']['finite']
    torch.save(checkpoint, middle)
    found = trained(
        tmp_path / 'rest', hooks=[], load_from=str(middle), resume=True
    )
    assert all(torch.equal(found[key], expected[key]) for key in expected)
