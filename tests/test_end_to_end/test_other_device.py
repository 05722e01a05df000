"""Training where the tensors do not lie on the CPU."""

import multiprocessing
import runpy

import numpy as np
import pytest
from mmengine.runner import Runner

from tests.forks import PATIENCE

registration = pytest.importorskip('torch.utils.backend_registration')
if not hasattr(registration, '_setup_privateuseone_for_python_backend'):
    pytest.skip(
        'a device written in Python needs PyTorch 2.9', allow_module_level=True
    )

from tests import other_device  # noqa: E402

MONITOR = {
    'default_hooks.monitor': dict(type='PseudoLabelMonitorHook', interval=2)
}
UNLABELLED = 'train_dataloader.dataset.unlabelled.pipeline'
TWO_VIEWS = {f'{UNLABELLED}.5.num_strong': 2, f'{UNLABELLED}.6.num_masks': 2}
CASES = {
    'stages': {**MONITOR, 'train_cfg.stages': 2},
    # A worker sends each batch as one memory.
    'a worker': {'train_dataloader.num_workers': 1},
    'online': {
        'model.semi_train_cfg': dict(p0='online', ensemble_p0=True),
        'model.rectifier.alignment': 2.0,
        f'{UNLABELLED}.6.mask': 'class',
    },
    'from students': {
        'model.semi_train_cfg': dict(
            peer_source='student', self_weight=0, confidence=0.3
        ),
        'model.rectifier': None,
        'optim_wrapper.accumulative_counts': 2,
        'optim_wrapper.clip_grad': dict(max_norm=1.0),
    },
    'windows': {
        'model.test_cfg': dict(
            mode='slide', crop_size=(32, 32), stride=(24, 24)
        ),
        'model.rectifier': None,
        'model.semi_train_cfg': dict(
            strong_views=2,
            complementary_dropout=0.5,
            loss=dict(type='ConsistencyLoss'),
        ),
        **TWO_VIEWS,
    },
}


@pytest.fixture(scope='module')
def trainer():
    """Pipe to a process with the device, spawned as threads forbid a fork."""
    spawn = multiprocessing.get_context('spawn')
    pipe, other = spawn.Pipe()
    process = spawn.Process(
        # The tests are not a package, so it cannot import a function.
        target=runpy.run_path,
        args=(other_device.__file__, {'pipe': other}, 'served'),
    )
    process.start()
    other.close()
    yield pipe
    pipe.send(None)
    process.join(PATIENCE)


@pytest.mark.parametrize('name', CASES)
def test_as_on_the_cpu(tiny_config, trainer, name):
    trainer.send(tiny_config(CASES[name]))
    runner = Runner.from_cfg(tiny_config(CASES[name]))
    runner.train()
    expected = other_device.weights_of(runner.model)
    assert trainer.poll(PATIENCE)
    result = trainer.recv()
    assert not isinstance(result, str), result
    weights, devices, waits = result
    assert devices == {'other:0'}
    # The monitor waits only at intervals; two waits a step are left.
    assert {k: n for k, n in waits.items() if 'monitor' not in k} == {
        'mutual_optim_wrapper._read': 1,
        'mutual_ema_hook.after_train_iter': 1,
    }
    assert weights.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(
            weights[key], value, rtol=1e-3, atol=1e-5, err_msg=key
        )
