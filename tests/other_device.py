"""A simulated device beside the CPU, for machines that have none.

Its tensors are those of the CPU under another name. Like a GPU it refuses
tensors of two devices in one operation, and where a GPU would be waited for is
noted. It changes PyTorch for the whole process: use it in one that ends.
"""

import traceback
from collections import Counter
from pathlib import Path

import mmengine.device.utils
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    return_and_correct_aliasing,
)
from torch.utils._pytree import tree_leaves, tree_map_only

import rml_mmseg  # noqa: F401  (registers what a config names)

NAME = 'other'
PACKAGE = str(Path(__file__).parents[1] / 'rml_mmseg')
aten = torch.ops.aten
# Operations for which a GPU accepts CPU tensors, too: copies and indexing.
MIXED = {
    aten.copy_.default,
    aten._to_copy.default,
    aten._foreach_copy_.default,
    aten.index.Tensor,
    aten.index_put_.default,
    aten._index_put_impl_.default,
}
# Operations that wait for the device, since they return a number or a tensor
# whose size depends on values.
WAITS = {
    aten._local_scalar_dense.default,
    aten._unique2.default,
    aten.bincount.default,
    aten.equal.default,
    aten.masked_select.default,
    aten.nonzero.default,
    aten.repeat_interleave.Tensor,
}
# Where the package waited for the device: file and function.
waits: list[str] = []


def _note_wait() -> None:
    for frame in reversed(traceback.extract_stack(limit=50)):
        if frame.filename != __file__ and '/torch/' not in frame.filename:
            if frame.filename.startswith(PACKAGE):
                waits.append(f'{Path(frame.filename).stem}.{frame.name}')
            return


class OtherTensor(Tensor):
    """Tensor on the device, which wraps a CPU tensor."""

    raw: Tensor

    @staticmethod
    def __new__(cls, raw: Tensor):
        tensor = Tensor._make_wrapper_subclass(
            cls,
            raw.size(),
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=torch.device(NAME, 0),
        )
        tensor.raw = raw
        return tensor

    def tolist(self):
        _note_wait()
        return self.raw.tolist()

    @classmethod
    def __torch_dispatch__(cls, op, types, args=(), kwargs=None):
        return compute(op, args, kwargs or {})


def _raw(tree):
    return tree_map_only(OtherTensor, lambda tensor: tensor.raw, tree)


def _check_devices(op, tensors) -> None:
    for tensor in tensors:
        # Tensors without dimensions may be on any device.
        if not isinstance(tensor, OtherTensor) and tensor.dim():
            raise RuntimeError(
                f'{op}: expected tensors of one device, found '
                f'{[(str(t.device), tuple(t.shape)) for t in tensors]}'
            )


def _is_waited_for(op, args, tensors, device) -> bool:
    if op is aten._to_copy.default:
        return device == 'cpu'
    if op is aten.copy_.default:
        return not isinstance(args[0], OtherTensor)
    if op is aten.index.Tensor:
        return any(t.dtype == torch.bool for t in tensors[1:])
    return op in WAITS


def compute(op, args, kwargs):
    """Compute an operation with a tensor or its result on the device."""
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    here = any(isinstance(t, OtherTensor) for t in tensors)
    device = kwargs.get('device')
    device = device and torch.device(device).type
    if here:
        if op not in MIXED:
            _check_devices(op, tensors)
        if _is_waited_for(op, args, tensors, device):
            _note_wait()
    inputs, options = _raw((args, kwargs))
    if device is not None:
        options = {**options, 'device': 'cpu'}
    result = op(*inputs, **options)
    if op is aten.copy_.default:
        return args[0]
    if device == NAME:
        return OtherTensor(result)
    if not here:
        return result
    if device == 'cpu':
        # Moving a tensor makes a copy.
        return result.clone()
    result = tree_map_only(Tensor, OtherTensor, result)
    return return_and_correct_aliasing(op, args, kwargs, result)


class OtherDevice(TorchDispatchMode):
    """Mode that also handles operations that create tensors from nothing."""

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        return compute(op, args, kwargs or {})


def register() -> None:
    """Register the device with PyTorch and make mmengine use it."""

    class Backend(backend_registration._DummyBackendModule):
        def get_amp_supported_dtype(self):
            return [torch.bfloat16, torch.float16]

    backend_registration._setup_privateuseone_for_python_backend(
        NAME, backend_module=Backend()
    )
    library = torch.library.Library('aten', 'IMPL')
    # PyTorch makes tensors from lists of indices below the dispatch mode.
    for name, op in {
        'empty_strided': aten.empty_strided.default,
        'empty.memory_format': aten.empty.memory_format,
    }.items():
        library.impl(
            name,
            lambda *args, op=op, **kw: compute(op, args, kw),
            'PrivateUse1',
        )

    def copy_from(source, target, non_blocking=False):
        _raw(target).copy_(_raw(source))
        return target

    library.impl('_copy_from', copy_from, 'PrivateUse1')
    register.library = library  # It is undone when the library is deleted.
    mmengine.device.utils.DEVICE = NAME


class WaitsHook(Hook):
    """Counts where the package waits for the device in the last iteration."""

    priority = 'VERY_LOW'

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        waits.clear()

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        self.found = Counter(waits)


def weights_of(model):
    return {k: v.cpu().numpy() for k, v in model.state_dict().items()}


def serve(pipe) -> None:
    """Train what comes through the pipe on the device."""
    register()
    for cfg in iter(pipe.recv, None):
        with OtherDevice():
            hook = WaitsHook()
            try:
                runner = Runner.from_cfg(cfg)
                runner.register_hook(hook)
                runner.train()
            except Exception:
                pipe.send(traceback.format_exc())
                continue
            devices = {str(p.device) for p in runner.model.parameters()}
            pipe.send((weights_of(runner.model), devices, hook.found))


if __name__ == 'served':
    serve(globals()['pipe'])
