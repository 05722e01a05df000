"""Every workaround acts where its fault is present and only there."""

import importlib
import math
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import cv2
import mmcv
import mmseg
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.optim import OneCycleParamScheduler
from mmengine.registry import PARAM_SCHEDULERS
from mmengine.runner import checkpoint, load_checkpoint, save_checkpoint
from mmengine.utils import digit_version
from mmengine.visualization import MLflowVisBackend
from mmseg.datasets.transforms import Albu
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS

import rml_mmseg
from rml_mmseg import compat
from tests.versions import ON_FORK, needs_safe_loading

ROOT = Path(__file__).resolve().parents[1]
WITHOUT_EXTENSION = isinstance(
    importlib.import_module('mmcv.ops'), compat.MissingOps
)

# A subprocess that has the workarounds but nothing else of the package.
LOAD_COMPAT = f"""
import importlib.util
spec = importlib.util.spec_from_file_location(
    'compat', {str(ROOT / 'rml_mmseg' / 'compat.py')!r})
compat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compat)
"""


def run_python(code, path):
    """Run code in a new interpreter that finds modules in `path` first."""
    return subprocess.run(
        [sys.executable, '-c', textwrap.dedent(code)],
        env={**os.environ, 'PYTHONPATH': f'{path}{os.pathsep}{ROOT}'},
        capture_output=True,
        text=True,
    )


def install_module(monkeypatch, **attributes):
    module = SimpleNamespace(**attributes)
    monkeypatch.setitem(sys.modules, 'somepackage', module)


class TestCheckVersions:
    def test_this_environment_is_supported(self):
        compat.check_versions()

    @pytest.mark.parametrize(
        'version', ['2.0.0rc4', '2.1.0', '2.3.6', '2.13.0+cpu', '2.9.0.dev1']
    )
    def test_accepts_versions_in_range(self, monkeypatch, version):
        install_module(monkeypatch, __version__=version)
        compat.check_versions({'somepackage': '>=2.0.0rc4,<3'})

    @pytest.mark.parametrize('version', ['2.0.0rc3', '1.7.2', '3.0.0'])
    def test_names_package_version_and_range(self, monkeypatch, version):
        install_module(monkeypatch, __version__=version)
        with pytest.raises(ImportError) as error:
            compat.check_versions({'somepackage': '>=2.0.0rc4,<3'})
        assert str(error.value) == (
            'rml_mmseg needs somepackage>=2.0.0rc4,<3, '
            f'found somepackage {version}'
        )

    def test_names_a_missing_package(self):
        with pytest.raises(ImportError, match='no_such_package>=1, found no'):
            compat.check_versions({'no_such_package': '>=1'})

    def test_explains_a_refused_neighbour(self, tmp_path, monkeypatch):
        (tmp_path / 'picky.py').write_text("assert False, 'MMCV==9 is used'")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ImportError, match='picky cannot .*MMCV==9'):
            compat.check_versions({'picky': '>=1'})

    def test_leaves_broken_packages_alone(self, tmp_path, monkeypatch):
        (tmp_path / 'broken.py').write_text('import no_such_neighbour')
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ModuleNotFoundError, match='no_such_neighbour'):
            compat.check_versions({'broken': '>=1'})


class TestTorchvision:
    """A fake package fails like a CUDA build beside a CPU-only torch."""

    def fake(self, tmp_path, body):
        package = tmp_path / 'torchvision'
        package.mkdir()
        (package / '__init__.py').write_text(textwrap.dedent(body))
        return tmp_path

    def test_defines_the_missing_schemas(self, tmp_path):
        path = self.fake(
            tmp_path,
            """
            import torch
            for name in ('nms', 'qnms'):
                if not hasattr(torch.ops.torchvision, name):
                    raise RuntimeError(
                        f'operator torchvision::{name} does not exist')
            """,
        )
        done = run_python(LOAD_COMPAT + 'import torchvision', path)
        assert done.returncode == 0, done.stderr

    def test_leaves_a_working_build_alone(self, tmp_path):
        path = self.fake(tmp_path, '')
        code = LOAD_COMPAT + (
            "import torch; print(hasattr(torch.ops.torchvision, 'nms'))"
        )
        lines = run_python(code, path).stdout.splitlines()
        said = ['Could not import OneDL'] if ON_FORK else []
        assert [line for line in lines if line not in said] == ['False']

    def test_does_not_hide_another_fault(self, tmp_path):
        path = self.fake(tmp_path, "raise RuntimeError('another fault')")
        done = run_python(LOAD_COMPAT, path)
        assert done.returncode != 0
        assert 'RuntimeError: another fault' in done.stderr

    def test_the_installed_build_imports(self):
        torchvision = importlib.import_module('torchvision')
        assert torchvision.transforms


class TestMmcvOps:
    def test_point_sample_works(self):
        from mmcv.ops import point_sample

        # The centre of a 2 x 2 image lies between its four pixels.
        image = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
        centre = torch.tensor([[[0.5, 0.5]]])
        assert point_sample(image, centre).item() == 3.0

    @pytest.mark.skipif(
        not WITHOUT_EXTENSION, reason='mmcv has its compiled operators'
    )
    def test_other_names_say_what_to_install(self):
        from mmcv.ops import PSAMask

        assert isinstance(PSAMask, type)
        with pytest.raises(ImportError, match='mmcv.ops.PSAMask.*full mmcv'):
            PSAMask('collect', (3, 3))

    @pytest.mark.skipif(
        not WITHOUT_EXTENSION, reason='mmcv has its compiled operators'
    )
    def test_environment_report_works(self):
        from mmcv.utils import collect_env

        assert collect_env()['MMCV Compiler'] == 'n/a'

    @pytest.mark.skipif(
        not WITHOUT_EXTENSION, reason='mmcv has its compiled operators'
    )
    def test_private_names_are_absent(self):
        ops = importlib.import_module('mmcv.ops')
        assert not hasattr(ops, '__wrapped__')

    @pytest.mark.skipif(
        WITHOUT_EXTENSION, reason='mmcv has no compiled operators'
    )
    def test_compiled_operators_stay(self):
        from mmcv.ops import nms

        boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2], [5, 5, 6, 6]])
        kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)[1]
        assert kept.tolist() == [0, 2]


class TestCheckpoints:
    def test_own_checkpoints_load(self, tmp_path):
        history = HistoryBuffer([1.0, 2.0], [1, 1])
        file = tmp_path / 'iter_1.pth'
        state = {'layer.weight': torch.ones(1, 1)}
        scalars = {
            'loss': history,
            'f4': np.float32(0.25),
            'f8': np.float64(0.5),
            'i8': np.int64(3),
        }
        save_checkpoint(
            {'state_dict': state, 'message_hub': scalars}, str(file)
        )
        model = torch.nn.Module()
        model.layer = torch.nn.Linear(1, 1, bias=False)
        loaded = load_checkpoint(model, str(file))
        assert model.layer.weight.item() == 1.0
        hub = loaded['message_hub']
        assert hub['loss'].data[0].tolist() == [1.0, 2.0]
        assert (hub['f4'], hub['f8'], hub['i8']) == (0.25, 0.5, 3)

    @pytest.mark.parametrize(
        'kind',
        [
            *('bool', 'uint8', 'uint16', 'uint32', 'uint64', 'int8', 'int16'),
            *('int32', 'int64', 'float16', 'float32', 'float64'),
            *('longlong', 'ulonglong', 'longdouble', 'complex64'),
        ],
    )
    def test_arrays_of_numbers_load(self, tmp_path, kind):
        palette = np.array([[0, 1], [1, 0]], kind)
        meta = dict(palette=palette, weight=palette[0, 1])
        file = tmp_path / 'iter_1.pth'
        save_checkpoint({'meta': {'dataset_meta': meta}}, str(file))
        loaded = torch.load(file)['meta']['dataset_meta']
        assert loaded['palette'].dtype == palette.dtype
        assert loaded['palette'].tolist() == palette.tolist()
        assert loaded['weight'] == 1

    @needs_safe_loading
    def test_arrays_of_objects_stay_refused(self, tmp_path):
        file = tmp_path / 'unsafe.pth'
        torch.save({'call': np.array([os.system])}, file)
        with pytest.raises(pickle.UnpicklingError):
            torch.load(file, weights_only=True)

    @pytest.mark.parametrize(
        ('name', 'settings'),
        [
            ('Constant', {}),
            ('CosineAnnealing', dict(T_max=2)),
            ('CosineRestart', dict(periods=[2], eta_min=0)),
            ('Exponential', dict(gamma=0.9)),
            ('Linear', {}),
            ('MultiStep', dict(milestones=[2])),
            ('OneCycle', dict(eta_max=0.1, total_steps=2)),
            (
                'OneCycle',
                dict(eta_max=0.1, total_steps=2, anneal_strategy='linear'),
            ),
            ('Poly', {}),
            ('ReduceOnPlateau', {}),
            ('Step', dict(step_size=2)),
        ],
    )
    def test_schedules_load(self, tmp_path, name, settings):
        weight = torch.nn.Parameter(torch.ones(1))
        optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
        state = PARAM_SCHEDULERS.build(
            dict(
                type=f'{name}ParamScheduler',
                optimizer=optimizer,
                param_name='lr',
                **settings,
            )
        ).state_dict()
        file = tmp_path / 'iter_1.pth'
        save_checkpoint({'param_schedulers': [state]}, str(file))
        assert torch.load(file)['param_schedulers'] == [state]

    @needs_safe_loading
    def test_other_methods_stay_refused(self, tmp_path):
        file = tmp_path / 'unsafe.pth'
        torch.save(
            {'call': OneCycleParamScheduler.build_iter_from_epoch}, file
        )
        with pytest.raises(pickle.UnpicklingError, match='is not allowed'):
            torch.load(file, weights_only=True)

    def test_other_types_stay_refused(self, tmp_path):
        file = tmp_path / 'unsafe.pth'
        torch.save({'call': os.system}, file)
        with pytest.raises(Exception, match='[Ww]eights.only'):
            torch.load(file, weights_only=True)

    def test_an_old_torch_gets_no_list(self, monkeypatch):
        """PyTorch 2.4 takes no names with the types, so it gets no list."""

        def fail(kinds):
            raise AssertionError(kinds)

        monkeypatch.setattr(compat, 'SAFE_LOADING', False)
        monkeypatch.setattr(
            torch.serialization, 'add_safe_globals', fail, raising=False
        )
        compat.allow_checkpoint_types()


class TestKeepLoadingSafe:
    """With a function like the fork's, which calls ``torch.load`` twice."""

    @pytest.fixture
    def asked(self, monkeypatch):
        asked = []

        def load(file, map_location=None, weights_only=None):
            asked.append((file, map_location, weights_only))

        monkeypatch.setattr(
            checkpoint, '_safe_torch_load', load, raising=False
        )
        compat.keep_loading_safe()
        return asked

    @needs_safe_loading
    def test_asks_once_and_safely(self, asked):
        checkpoint._safe_torch_load('file', map_location='cpu')
        assert asked == [('file', 'cpu', True)]

    def test_what_a_caller_asks_for_stays(self, asked):
        checkpoint._safe_torch_load('file', weights_only=False)
        assert asked == [('file', None, False)]

    def test_leaves_another_mmengine_alone(self, monkeypatch):
        monkeypatch.delattr(checkpoint, '_safe_torch_load', raising=False)
        compat.keep_loading_safe()
        assert not hasattr(checkpoint, '_safe_torch_load')

    @needs_safe_loading
    def test_the_list_outlives_a_file(self, tmp_path):
        file = tmp_path / 'iter_1.pth'
        torch.save({'loss': HistoryBuffer([1.0], [1])}, file)
        for _ in range(2):
            load_checkpoint(torch.nn.Module(), str(file))
            torch.load(file, weights_only=True)


class TestPredictPaddedImages:
    @pytest.fixture
    def predict(self, monkeypatch):
        """Function that returns the sizes which a release's head uses."""

        def run(version, metas):
            sizes = []

            def predict_by_feat(self, seg_logits, batch_img_metas):
                sizes.extend(meta['img_shape'] for meta in batch_img_metas)

            monkeypatch.setattr(
                BaseDecodeHead, 'predict_by_feat', predict_by_feat
            )
            monkeypatch.setattr(mmseg, '__version__', version)
            compat.predict_padded_images()
            BaseDecodeHead.predict_by_feat(None, None, metas)
            return sizes

        return run

    PADDED = dict(img_shape=(6, 8), pad_shape=(8, 12, 3))

    def test_an_old_head_is_told_the_padded_size(self, predict):
        metas = [self.PADDED, self.PADDED]
        assert predict('1.2.1', metas)[0] == (8, 12)
        assert metas[0]['img_shape'] == (6, 8)

    @pytest.mark.parametrize(
        'meta',
        [
            dict(img_shape=(6, 8)),
            dict(img_shape=torch.Size([6, 8]), pad_shape=(8, 12)),
        ],
    )
    def test_images_without_padding_and_windows_stay(self, predict, meta):
        assert predict('1.2.1', [meta]) == [(6, 8)]

    @pytest.mark.parametrize('version', ['1.2.2', '1.4.2'])
    def test_leaves_a_mended_release_alone(self, predict, version):
        assert predict(version, [self.PADDED]) == [(6, 8)]


class TestFindPackages:
    def test_stock_configs_are_found_without_pkg_resources(
        self, monkeypatch, tmp_path
    ):
        for name in ('utils.package_utils', 'utils', 'config.config'):
            module = importlib.import_module(f'mmengine.{name}')
            for function in ('is_installed', 'get_installed_path'):
                monkeypatch.setattr(module, function, None, raising=False)
        monkeypatch.setattr(
            importlib.util,
            'find_spec',
            lambda name, find=importlib.util.find_spec: (
                None if name == 'pkg_resources' else find(name)
            ),
        )
        compat.find_packages()
        file = tmp_path / 'config.py'
        stock = 'fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py'
        file.write_text(f"_base_ = 'mmseg::{stock}'")
        assert Config.fromfile(file).model.decode_head.type == 'FCNHead'
        file.write_text("_base_ = 'mmpose::x/x.py'")
        with pytest.raises(ModuleNotFoundError, match='mmpose is not'):
            Config.fromfile(file)


class TestNameMlflowImages:
    @pytest.mark.parametrize(
        ('name', 'file'),
        [('val/image', 'val/image_3.png'), ('image.jpg', 'image.jpg')],
    )
    def test_the_name_has_a_suffix(self, tmp_path, name, file):
        images = []
        backend = MLflowVisBackend(str(tmp_path))
        backend._env_initialized = True
        backend._mlflow = SimpleNamespace(
            log_image=lambda image, artifact: images.append((image, artifact))
        )
        backend.add_image(name, 'picture', step=3)
        assert images == [('picture', file)]


def test_package_registers_on_import():
    assert rml_mmseg.__version__ == '0.1.0'
    from mmseg.registry import MODELS

    assert MODELS.get('MutualSemiSegmentor') is not None


class TestWeighIgnoredPixels:
    def _losses(self, avg_non_ignore, class_weight):
        loss = MODELS.build(
            dict(
                type='CrossEntropyLoss',
                class_weight=class_weight,
                avg_non_ignore=avg_non_ignore,
            )
        )
        torch.manual_seed(0)
        logits = torch.randn(2, 3, 4, 5)
        labels = torch.randint(3, (2, 4, 5))
        labels[:, 1:3] = 255
        found = loss(logits, labels, ignore_index=255)
        weight = class_weight and torch.tensor(class_weight)
        wanted = F.cross_entropy(logits, labels, weight, ignore_index=255)
        return found, wanted

    @pytest.mark.parametrize('avg_non_ignore', [True, False])
    def test_the_mean_is_pytorch_s(self, avg_non_ignore):
        found, wanted = self._losses(avg_non_ignore, [1.0, 2.0, 0.5])
        torch.testing.assert_close(found, wanted)

    @pytest.mark.skipif(
        digit_version(mmseg.__version__) < digit_version('1.2.2'),
        reason='mmsegmentation 1.2.1 cannot weigh the classes of a mean',
    )
    def test_a_class_that_is_ignored_counts_as_before(self):
        losses = importlib.import_module(
            'mmseg.models.losses.cross_entropy_loss'
        )
        labels, weight = torch.tensor([[[0, 1]]]), torch.tensor([1.0, 3.0])
        loss = losses.cross_entropy(
            torch.zeros(1, 2, 1, 2), labels, None, weight, ignore_index=0
        )
        # Class 0 has no loss, but its weight counts in the mean; with a fork
        # it does not.
        share = 1 if ON_FORK else 3 / 4
        assert float(loss) == pytest.approx(share * math.log(2))

    def test_without_weights_nothing_changes(self):
        found, wanted = self._losses(True, None)
        torch.testing.assert_close(found, wanted)
        found, _ = self._losses(False, None)
        torch.testing.assert_close(found, wanted / 2)

    def test_leaves_a_mended_release_alone(self):
        losses = importlib.import_module(
            'mmseg.models.losses.cross_entropy_loss'
        )
        before = losses.cross_entropy
        compat.weigh_ignored_pixels()
        assert losses.cross_entropy is before


class TestHues:
    @pytest.mark.parametrize('backend', ['cv2', 'pillow'])
    @pytest.mark.parametrize('turn', [-0.5, -0.2, -0.001, 0.0, 0.2, 0.5])
    def test_a_hue_is_turned_either_way(self, backend, turn):
        hues = np.linspace(0, 255, 64).astype(np.uint8)
        full = np.full_like(hues, 255)
        hsv = np.stack([hues, full, full], axis=-1)[None]
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)
        turned = mmcv.adjust_hue(image, turn, backend=backend)
        assert turned.dtype == np.uint8
        found = cv2.cvtColor(turned, cv2.COLOR_BGR2HSV_FULL)[..., 0]
        # Hues have 256 levels, and the conversion to BGR and back rounds.
        off = (found.astype(int) - hues - int(turn * 255)) % 256
        assert np.minimum(off, 256 - off).max() <= 3

    def test_too_far_is_refused_as_before(self):
        with pytest.raises(ValueError, match='hue_factor:0.6'):
            mmcv.adjust_hue(np.zeros((2, 2, 3), np.uint8), 0.6)


@pytest.mark.parametrize('seeds', [True, False])
def test_albumentations_draw_by_numpy(monkeypatch, seeds):
    drawn = []
    aug = SimpleNamespace()
    if seeds:
        aug.set_random_seed = drawn.append
    step = Albu.__new__(Albu)
    step.aug = aug
    # The workaround wraps mmseg's own method; replace that one.
    cell = dict(
        zip(
            Albu.transform.__code__.co_freevars,
            Albu.transform.__closure__,
        )
    )['original']
    monkeypatch.setattr(cell, 'cell_contents', lambda self, results: results)
    for seed in (5, 5, 6):
        np.random.seed(seed)
        step.transform({})
    if seeds:
        assert drawn[0] == drawn[1] != drawn[2]
    else:
        assert drawn == []
