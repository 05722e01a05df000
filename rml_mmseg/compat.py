"""Workarounds for faults of third-party packages.

This is the only file that touches the behaviour of other packages. Each
function acts only where its fault is present, so that a fixed release is
left alone. `apply` runs them all, once, when the package is imported.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import pickle
import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable
from unittest import mock

import numpy as np
import torch
from packaging.specifiers import SpecifierSet
from packaging.version import Version

SUPPORTED_VERSIONS = {
    'torch': '>=1.13,<3',
    'numpy': '>=1.21,<3',
    'mmengine': '>=0.10,<1',
    'mmcv': '>=2.0.0rc4,<3',
    'mmseg': '>=1.2.1,<2',
    'mmpretrain': '>=1.0,<2',
}
"""Supported range of each package, by import name."""

DISTRIBUTIONS = {'mmseg': 'mmsegmentation'}
"""Distribution names, where they differ from the import names."""

SAFE_LOADING = Version(torch.__version__).release >= (2, 6)
"""Whether `torch.load` can allow every type that a checkpoint may hold."""

METHODS = {
    'HistoryBuffer': ('min', 'max', 'current', 'mean'),
    'OneCycleParamScheduler': ('_annealing_cos', '_annealing_linear'),
}
"""Methods that the pickles of two classes of mmengine look up."""


def check_versions(supported: dict[str, str] = SUPPORTED_VERSIONS) -> None:
    """Check that every dependency is installed in a supported version.

    Versions are read from the modules, not from the names of distributions,
    because forks of the OpenMMLab packages keep the import names. Can be
    removed when the installer is able to enforce the ranges, i.e. when no
    package is shipped under two distribution names.

    Args:
        supported (dict[str, str]): Version specifier by import name.

    Raises:
        ImportError: If a package is missing, outside its range, or refuses
            the versions of its own dependencies.
    """
    for name, wanted in supported.items():
        label = DISTRIBUTIONS.get(name, name)
        try:
            found = importlib.import_module(name).__version__
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ImportError(
                f'rml_mmseg needs {label}{wanted}, found none'
            ) from error
        except AssertionError as error:
            # mmseg and mmpretrain assert the ranges of mmcv and mmengine.
            raise ImportError(
                f'{label} cannot be imported: {error}'
            ) from error
        # Local builds and nightlies count too: 2.13.0+cpu, 2.14.0.dev1.
        if not SpecifierSet(wanted).contains(str(found), prereleases=True):
            raise ImportError(
                f'rml_mmseg needs {label}{wanted}, found {label} {found}'
            )


def define_torchvision_schemas() -> None:
    """Make a CUDA build of torchvision importable beside a CPU-only torch.

    The operator library of such a build does not load there, and
    `import torchvision` then stops with `operator torchvision::nms does not
    exist`. That error also escapes the environment report of mmengine, so it
    ends every Runner, and mmpretrain imports torchvision at its top level.
    Schemas without kernels are enough for the import; calling the operators
    still fails. Can be removed when torchvision registers its fake kernels
    only for operators that exist.
    """
    try:
        importlib.import_module('torchvision')
    except ModuleNotFoundError:
        return
    except RuntimeError as error:
        if 'torchvision::nms does not exist' not in str(error):
            raise
        library = torch.library.Library('torchvision', 'DEF')
        # The definitions live as long as the Library object.
        define_torchvision_schemas.library = library  # type: ignore[attr-defined]
        for name in ('nms', 'qnms'):
            library.define(
                f'{name}(Tensor dets, Tensor scores, float iou_threshold)'
                ' -> Tensor'
            )
        for name in [m for m in sys.modules if m.startswith('torchvision.')]:
            del sys.modules[name]
        importlib.import_module('torchvision')


class MissingOps(ModuleType):
    """Stand-in for `mmcv.ops` in an mmcv without compiled operators.

    Names that need no extension are set as attributes; any other public name
    gives a class that raises ImportError when it is instantiated or called.
    """

    def __getattr__(self, name: str) -> type:
        if name.startswith('_'):
            raise AttributeError(
                f'module {self.__name__!r} has no attribute {name!r}'
            )

        def fail(*args: Any, **kwargs: Any) -> None:
            raise ImportError(
                f'mmcv.ops.{name} needs the compiled operators of mmcv, '
                'which mmcv-lite does not have: install the full mmcv instead'
            )

        missing = type(name, (), {'__new__': fail, '__module__': 'mmcv.ops'})
        setattr(self, name, missing)
        return missing


def stand_in_for_mmcv_ops() -> None:
    """Let mmseg import beside an mmcv without compiled operators.

    mmseg imports `mmcv.ops` at its top level for heads and losses that few
    configs use, which fails with mmcv-lite and with a source build without
    extensions. Can be removed when mmseg imports the operators where it uses
    them. mmcv's advice to install the full mmcv is silenced: whatever needs
    an operator says so when it is built.
    """
    warnings.filterwarnings(
        'ignore', 'Fail to import ``MultiScaleDeformableAttention``'
    )
    try:
        importlib.import_module('mmcv.ops')
    except ModuleNotFoundError as error:
        if error.name != 'mmcv._ext':
            raise
    else:
        return
    mmcv: Any = importlib.import_module('mmcv')
    found = importlib.util.find_spec('mmcv.ops')
    assert found is not None
    # The real folder stays the search path: `mmcv.ops.point_sample` still
    # imports, and a submodule that needs the extension fails as before.
    spec = ModuleSpec('mmcv.ops', None, is_package=True)
    spec.submodule_search_locations = found.submodule_search_locations
    stand_in = importlib.util.module_from_spec(spec)
    stand_in.__class__ = MissingOps
    sys.modules['mmcv.ops'] = stand_in
    mmcv.ops = stand_in
    points = importlib.import_module('mmcv.ops.point_sample')
    for name in (
        'point_sample',
        'rel_roi_point_to_rel_img_point',
        'SimpleRoIAlign',
    ):
        setattr(stand_in, name, getattr(points, name))
    # mmcv's environment report calls these.
    for name in ('get_compiler_version', 'get_compiling_cuda_version'):
        setattr(stand_in, name, lambda: 'n/a')


def allow_checkpoint_types() -> None:
    """Let `torch.load` read the checkpoints that mmengine itself writes.

    From torch 2.6 on `weights_only` is True by default, and every checkpoint
    of mmengine holds the HistoryBuffers of its message hub, so that resuming
    and testing fail; those of a one-cycle schedule hold a method of its
    class, too. Naming the types keeps loading safe. Can be removed when
    mmengine registers them.
    """
    if not SAFE_LOADING:
        return
    from mmengine.logging import HistoryBuffer
    from mmengine.optim import OneCycleParamScheduler

    # numpy 2 renamed the module; files of both versions are read.
    core = getattr(np, '_core', None) or np.core
    reconstruct = core.multiarray._reconstruct
    scalar = core.multiarray.scalar
    allowed: list[Any] = [HistoryBuffer, OneCycleParamScheduler]
    allowed += [np.ndarray, np.dtype]
    # Pickles of both look methods up by `getattr`.
    allowed.append((_allowed_method, 'builtins.getattr'))
    # The metainfo of a data set may hold arrays of any numbers.
    numbers = '?' + np.typecodes['AllInteger'] + np.typecodes['AllFloat']
    allowed += [type(np.dtype(code)) for code in numbers]
    torch.serialization.add_safe_globals(allowed)
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        torch.serialization.add_safe_globals(
            [
                (reconstruct, f'{module}._reconstruct'),
                (scalar, f'{module}.scalar'),
            ]
        )


def keep_loading_safe() -> None:
    """Make the fork of mmengine refuse unsafe checkpoints.

    If `torch.load` refuses a file, it loads it again without any check, which
    runs the code in a hostile file. After each file it also removes its own
    types from the allow-list, where other readers still need them. Can be
    removed when the fork does neither.
    """
    from mmengine.runner import checkpoint

    original = getattr(checkpoint, '_safe_torch_load', None)
    if original is None or not SAFE_LOADING:
        return

    @functools.wraps(original)
    def load(
        file: Any, map_location: Any = None, weights_only: Any = None
    ) -> Any:
        # Given an explicit value, it does what torch does.
        weights_only = True if weights_only is None else weights_only
        return original(file, map_location, weights_only)

    checkpoint._safe_torch_load = load


def _allowed_method(owner: Any, name: str) -> Any:
    """`getattr`, restricted to the methods in `METHODS`."""
    from mmengine.logging import HistoryBuffer
    from mmengine.optim import OneCycleParamScheduler

    for kind in (HistoryBuffer, OneCycleParamScheduler):
        if owner is kind and name in METHODS[kind.__name__]:
            return getattr(kind, name)
    raise pickle.UnpicklingError(
        f'the attribute {name!r} of {owner!r} is not allowed in a checkpoint'
    )


def launch_on_cpu() -> None:
    """Let mmengine's launchers work on a machine without an accelerator.

    They call `torch.cuda.set_device` and ask for NCCL whatever the device
    is. Without an accelerator gloo takes NCCL's place. Can be removed when
    mmengine chooses the backend by the device.
    """
    from mmengine.dist import utils

    def adapt(launch: Callable) -> Callable:
        @functools.wraps(launch)
        def init(backend: str, *args: Any, **kwargs: Any) -> None:
            if _has_accelerator():
                return launch(backend, *args, **kwargs)
            backend = 'gloo' if backend == 'nccl' else backend
            with mock.patch.object(torch.cuda, 'set_device'):
                return launch(backend, *args, **kwargs)

        return init

    for name in ('_init_dist_pytorch', '_init_dist_slurm', '_init_dist_mpi'):
        setattr(utils, name, adapt(getattr(utils, name)))


def wrap_on_cpu() -> None:
    """Let mmengine wrap a model on the CPU for distributed training.

    Runner passes `device_ids=[LOCAL_RANK]` whatever the device is. torch
    refuses that for parameters on the CPU, and also refuses synchronised
    batch normalisation (`sync_bn` of a config) there. Runner reverts the
    latter by itself in non-distributed runs; here it is reverted in
    distributed ones, too. Can be removed when Runner handles both.
    """
    from mmengine.model import (
        MMDistributedDataParallel,
        revert_sync_batchnorm,
    )

    original = MMDistributedDataParallel.__init__

    @functools.wraps(original)
    def init(
        self: Any, module: torch.nn.Module, *args: Any, **kwargs: Any
    ) -> None:
        if all(p.device.type == 'cpu' for p in module.parameters()):
            kwargs.pop('device_ids', None)
            module = revert_sync_batchnorm(module)
        original(self, module, *args, **kwargs)

    MMDistributedDataParallel.__init__ = init


def name_mlflow_images() -> None:
    """Let mmengine send images to MLflow.

    MLflow derives the format from the suffix of the name, which neither
    mmengine nor mmseg's hooks give, and one name is one file, which a later
    step would overwrite. Can be removed when mmengine names the file.
    """
    from mmengine.visualization import MLflowVisBackend

    original = MLflowVisBackend.add_image

    @functools.wraps(original)
    def add_image(
        self: Any, name: str, image: np.ndarray, step: int = 0, **kwargs: Any
    ) -> None:
        if not name.endswith(('.png', '.jpg', '.jpeg')):
            name = f'{name}_{step}.png'
        original(self, name, image, step, **kwargs)

    MLflowVisBackend.add_image = add_image


def find_packages() -> None:
    """Let mmengine find installed packages without `pkg_resources`.

    mmengine uses that part of setuptools, which release 82 removed, to find
    the configs of `_base_ = 'mmseg::...'`. Can be removed when mmengine uses
    importlib.
    """
    if importlib.util.find_spec('pkg_resources') is not None:
        return
    utils: Any = importlib.import_module('mmengine.config.utils')
    modules = {v: k for k, v in utils.MODULE2PACKAGE.items()}

    def origin_of(package: str) -> str | None:
        spec = importlib.util.find_spec(modules.get(package, package))
        return None if spec is None else spec.origin

    def is_installed(package: str) -> bool:
        return origin_of(package) is not None

    def get_installed_path(package: str) -> str:
        origin = origin_of(package)
        if origin is None:
            raise ModuleNotFoundError(f'{package} is not installed')
        return os.path.dirname(origin)

    for name in ('utils.package_utils', 'utils', 'config.config', 'hub.hub'):
        module: Any = importlib.import_module(f'mmengine.{name}')
        for function in (is_installed, get_installed_path):
            if hasattr(module, function.__name__):
                setattr(module, function.__name__, function)


def predict_padded_images() -> None:
    """Let mmseg predict images that are padded at test time.

    Before mmseg 1.2.2 a head resizes the logits of the padded image to the
    size without padding, and the segmentor then crops the padding off again.
    Can be removed when these versions are no longer supported.
    """
    mmseg: Any = importlib.import_module('mmseg')
    if Version(mmseg.__version__) >= Version('1.2.2'):
        return
    from mmseg.models.decode_heads.decode_head import BaseDecodeHead

    original = BaseDecodeHead.predict_by_feat

    @functools.wraps(original)
    def predict_by_feat(
        self: Any, seg_logits: torch.Tensor, batch_img_metas: list[dict]
    ) -> torch.Tensor:
        # One size holds for the batch. Only that of a sliding window, which
        # is not padded, is a torch.Size.
        meta = batch_img_metas[0]
        if 'pad_shape' in meta and not isinstance(
            meta['img_shape'], torch.Size
        ):
            meta = {**meta, 'img_shape': meta['pad_shape'][:2]}
        return original(self, seg_logits, [meta, *batch_img_metas[1:]])

    BaseDecodeHead.predict_by_feat = predict_by_feat


def tell_of_merged_views() -> None:
    """Let a model know that the predictions for several views are merged.

    mmseg's ``SegTTAModel`` merges those in ``pred_sem_seg`` and hands on all
    other predictions for the last view as they are. A model that makes others
    can leave them out if it knows. Can be removed when mmseg drops them.
    """
    from mmengine.model import BaseTTAModel

    original = BaseTTAModel.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.module.views_are_merged = True

    BaseTTAModel.__init__ = init


def weigh_ignored_pixels() -> None:
    """Let mmseg's cross entropy combine class weights and ignored pixels.

    For the mean it looks up the weight of every label, including 255, which
    is not a class: the first padded pixel ends a training. The fork of mmseg
    does so with ``avg_non_ignore``. Here ignored pixels have no weight,
    as in PyTorch. Can be removed when both leave them out.
    """
    losses: Any = importlib.import_module(
        'mmseg.models.losses.cross_entropy_loss'
    )
    original = losses.cross_entropy
    logits, ignored = torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1), 255)
    weights = dict(class_weight=torch.ones(1), ignore_index=255)
    try:
        for present in (False, True):
            original(logits, ignored, avg_non_ignore=present, **weights)
    except IndexError:
        pass
    else:
        return

    @functools.wraps(original)
    def cross_entropy(
        pred: torch.Tensor,
        label: torch.Tensor,
        weight: torch.Tensor | None = None,
        class_weight: torch.Tensor | None = None,
        reduction: str = 'mean',
        avg_factor: Any = None,
        ignore_index: int = -100,
        avg_non_ignore: bool = False,
    ) -> torch.Tensor:
        mean = avg_factor is None and reduction == 'mean'
        # If a class is ignored, there is a weight to look up.
        if (
            mean
            and class_weight is not None
            and not -len(class_weight) <= ignore_index < len(class_weight)
        ):
            known = label != ignore_index
            avg_factor = (class_weight[label * known] * known).sum()
        loss: torch.Tensor = original(
            pred,
            label,
            weight,
            class_weight,
            reduction,
            avg_factor,
            ignore_index,
            avg_non_ignore,
        )
        return loss

    losses.cross_entropy = cross_entropy


def draw_albumentations_by_numpy() -> None:
    """Let mmseg's ``Albu`` draw from NumPy's generator, as all else does.

    Since version 2 albumentations draws from a generator of its own, seeded
    by the operating system, so that two runs with the same seed differ. Can
    be removed when mmseg seeds it.
    """
    from mmseg.datasets.transforms import Albu

    original = Albu.transform

    @functools.wraps(original)
    def transform(self: Any, results: dict) -> dict:
        if hasattr(self.aug, 'set_random_seed'):
            self.aug.set_random_seed(int(np.random.randint(2**31)))
        return original(self, results)

    Albu.transform = transform


class _Turn(float):
    """Fraction of a turn; multiplying it gives an 8-bit angle, modulo 256."""

    def __mul__(self, levels: float) -> int:
        return int(float(self) * levels) % 256


def turn_hues_back() -> None:
    """Let mmcv shift hues by a negative amount under numpy 2.

    It adds the shift as a uint8 that wraps around, and numpy 2 refuses to
    convert a negative number to that: half of the images of mmpretrain's
    ``ColorJitter(hue=...)`` raise an OverflowError. Can be removed when mmcv
    takes the shift modulo 256.
    """
    import mmcv.image

    original = mmcv.image.adjust_hue

    @functools.wraps(original)
    def adjust_hue(
        img: Any, hue_factor: float, *args: Any, **kwargs: Any
    ) -> Any:
        return original(img, _Turn(hue_factor), *args, **kwargs)

    for module in (mmcv, mmcv.image, mmcv.image.photometric):
        module.adjust_hue = adjust_hue


def separate_restarts() -> None:
    """Let the processes of a restarted elastic launch find each other.

    After a failure torchrun restarts them with the key-value store of the
    first attempt, where they read the addresses of processes that are gone,
    so that gloo cannot connect. Here every further attempt gets keys of its
    own, as it did before PyTorch shared the agent's store. Can be removed
    when PyTorch separates the attempts again.
    """
    # Not by attribute: `torch.distributed.rendezvous` is a function there.
    rendezvous: Any = importlib.import_module('torch.distributed.rendezvous')
    original = getattr(rendezvous, '_create_c10d_store', None)
    if original is None:
        return

    @functools.wraps(original)
    def create(*args: Any, **kwargs: Any) -> Any:
        store = original(*args, **kwargs)
        attempt = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')
        if attempt == '0':
            return store
        return torch.distributed.PrefixStore(f'attempt_{attempt}', store)

    rendezvous._create_c10d_store = create


def _has_accelerator() -> bool:
    """Whether there is an accelerator that mmengine's launchers support."""
    from mmengine.device import get_device

    return get_device() not in ('cpu', 'mps')


def apply() -> None:
    """Check the versions, then apply every workaround that is needed."""
    check_versions()
    define_torchvision_schemas()
    stand_in_for_mmcv_ops()
    find_packages()
    predict_padded_images()
    tell_of_merged_views()
    weigh_ignored_pixels()
    turn_hues_back()
    draw_albumentations_by_numpy()
    allow_checkpoint_types()
    keep_loading_safe()
    launch_on_cpu()
    wrap_on_cpu()
    if torch.distributed.is_available():
        separate_restarts()
    name_mlflow_images()


apply()
