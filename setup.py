"""Build script of rml_mmseg.

The package carries `configs`, `tools` and `model-index.yml` in its folder
`.mim`, where OpenMMLab's tools look for them.
"""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
PACKAGE = 'rml_mmseg'
MIM_CONTENT = ('configs', 'tools', 'model-index.yml')
OPENMMLAB = ('mmcv', 'mmengine', 'mmpretrain', 'mmsegmentation')
BACKENDS = ('mlflow', 'tensorboard', 'wandb')
DOCUMENTATION = ('furo', 'ipykernel', 'myst-parser', 'nbclient', 'sphinx')
DEVELOPMENT = (
    'codespell',
    'hypothesis',
    'mypy',
    'pytest',
    'pytest-xdist',
    'ruff',
)


class BuildWithMim(build_py):
    """`build_py` that adds the folder `.mim` to the package.

    An editable install gets links, so that the folder follows the checkout;
    a wheel, also one that is built from the sdist, gets copies.
    """

    def run(self):
        super().run()
        if getattr(self, 'editable_mode', False):
            target = ROOT / PACKAGE / '.mim'
        else:
            target = Path(self.build_lib) / PACKAGE / '.mim'
        # A folder of an earlier build may hold what is gone since.
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in MIM_CONTENT:
            if (ROOT / name).exists():
                self._add(ROOT / name, target / name)

    def _add(self, source, target):
        if getattr(self, 'editable_mode', False):
            try:
                target.symlink_to(source)
                return
            except OSError:
                # No links here, as for a plain user of Windows.
                pass
        if source.is_dir():
            ignored = shutil.ignore_patterns('__pycache__', '*.pyc')
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy2(source, target)


def read_version():
    names = {}
    exec((ROOT / PACKAGE / 'version.py').read_text('utf-8'), names)
    return names['__version__']


def read_requirements():
    lines = (ROOT / 'requirements.txt').read_text('utf-8').splitlines()
    lines = [line.strip() for line in lines]
    lines = [line for line in lines if line and not line.startswith('#')]
    openmmlab = [line for line in lines if line.startswith(OPENMMLAB)]
    return [line for line in lines if line not in openmmlab], openmmlab


def read_description():
    readme = ROOT / 'README.md'
    return readme.read_text('utf-8') if readme.exists() else ''


REQUIRED, REQUIRED_OPENMMLAB = read_requirements()

setup(
    name=PACKAGE,
    version=read_version(),
    description='Robust Mutual Learning for semi-supervised semantic '
    'segmentation, a plugin of MMSegmentation',
    long_description=read_description(),
    long_description_content_type='text/markdown',
    author='The rml_mmseg contributors',
    license='Apache-2.0',
    keywords='computer vision, semantic segmentation, semi-supervised',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    python_requires='>=3.9',
    install_requires=REQUIRED,
    extras_require={
        'openmmlab': REQUIRED_OPENMMLAB,
        'backends': list(BACKENDS),
        'coco': ['pycocotools'],
        'dev': list(DEVELOPMENT),
        'docs': list(DOCUMENTATION),
        'onnx': ['onnx', 'onnxruntime', 'onnxscript'],
    },
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
