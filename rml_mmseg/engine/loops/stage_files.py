"""Files that a stage writes so that it can be resumed."""

import io
import os
import os.path as osp
from glob import escape, glob
from typing import Any, Optional

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.logging import print_log
from torch.utils.data import DataLoader

from rml_mmseg.datasets.soft_labels import SoftLabelStore, fingerprint
from rml_mmseg.datasets.whole_file import remove_unfinished, write_whole

from .stage_pass import mend_store, run_stage_pass


class StageFiles:
    """Soft pseudo labels, and the networks that a stage began with.

    .. code-block:: none

        work_dir/stages
        ├── initial_students.pth
        └── stage_1
            ├── teachers.pth
            └── soft_labels/*.npz

    Args:
        root (str): The folder ``stages``; shared by all ranks.
        model (MutualSemiSegmentor): Unwrapped model.
        loader (DataLoader): Loader of the training set, a
            ``SemiSegDataset``.

    Raises:
        ValueError: If its sampler cannot pass on where soft labels are.
    """

    def __init__(self, root: str, model: Any, loader: DataLoader) -> None:
        if not hasattr(loader.sampler, 'soft_labels'):
            # A batch sampler hides the sampler that it wraps.
            raise ValueError(
                "model.semi_train_cfg.p0='stage' needs a SemiSegSampler to "
                'find the labels of the stage, got '
                f'{type(loader.sampler).__name__} and '
                f'{type(loader.batch_sampler).__name__}: set '
                "train_dataloader.sampler=dict(type='SemiSegSampler') and "
                'batch_size, and remove train_dataloader.batch_sampler'
            )
        self.root = root
        self.model = model
        self.dataset: Any = loader.dataset

    def folder(self, stage: int) -> str:
        """Folder of a stage's soft labels; stages count from 0."""
        return osp.join(self._stage(stage), 'soft_labels')

    def _stage(self, stage: int) -> str:
        return osp.join(self.root, f'stage_{stage + 1}')

    def forget_labels(self) -> None:
        """Remove the soft labels of an earlier run in the same folder.

        Equal teachers would make other ones of other images or by another
        ``image_pipeline``, which the fingerprint of a file does not tell.
        """
        files = osp.join(escape(self.root), 'stage_*', 'soft_labels', '*.npz')
        if is_main_process():
            for path in glob(files):
                os.remove(path)
        barrier()

    def begin(self, stage: int, prototypes: bool) -> None:
        """Save the networks, then make labels and prototypes.

        Args:
            stage (int): The stage, from 0.
            prototypes (bool): Whether to compute prototypes, too.
        """
        self._tidy(stage)
        teachers = self.model.teachers.state_dict()
        if stage == 0:
            self._save('initial_students.pth', self.model.students)
        self._save(f'stage_{stage + 1}/teachers.pth', self.model.teachers)
        store = SoftLabelStore(self.folder(stage), fingerprint(teachers))
        run_stage_pass(self.model, self.dataset, store, prototypes)

    def mend(self, stage: int) -> None:
        """Check the labels of a resumed stage, and make missing ones again.

        Raises:
            FileNotFoundError: If the stage's teachers are gone.
        """
        self._tidy(stage)
        path = osp.join(self._stage(stage), 'teachers.pth')
        snapshot = self._load(path)
        store = SoftLabelStore(self.folder(stage), fingerprint(snapshot))
        made = mend_store(self.model, self.dataset, store, snapshot)
        if made:
            print_log(
                f'{made} soft pseudo labels were missing or damaged and were '
                'made again',
                logger='current',
            )

    def restart_students(self) -> None:
        """Reset students to ``initial_students.pth``, and teachers to them."""
        path = osp.join(self.root, 'initial_students.pth')
        self.model.students.load_state_dict(self._load(path))
        self.model.sync_teachers()

    def _tidy(self, stage: int) -> None:
        """Remove unfinished files of a killed run, before any rank writes."""
        if is_main_process():
            for folder in (self.root, self._stage(stage), self.folder(stage)):
                remove_unfinished(folder)
        barrier()

    def _save(self, name: str, module: torch.nn.Module) -> None:
        path = osp.join(self.root, name)
        if is_main_process():
            buffer = io.BytesIO()
            torch.save(module.state_dict(), buffer)
            write_whole(path, buffer.getvalue())
        barrier()

    @staticmethod
    def _load(path: str) -> dict:
        if not osp.isfile(path):
            raise FileNotFoundError(
                f"{path!r} is missing, but a run with p0='stage' cannot be "
                'resumed without it: resume in the work_dir of the run, or '
                'start it again'
            )
        return torch.load(path, map_location='cpu', weights_only=True)


def stage_files_of(
    model: Any, work_dir: str, loader: DataLoader
) -> Optional[StageFiles]:
    """Files of a run whose labels are made stage by stage.

    Args:
        model (nn.Module): Unwrapped model.
        work_dir (str): Work folder of the run.
        loader (DataLoader): Loader of the training set.

    Returns:
        StageFiles | None: None if labels are made online, or not at all.
    """
    cfg = getattr(model, 'semi_train_cfg', None)
    if cfg is None or cfg.p0 != 'stage':
        return None
    return StageFiles(osp.join(work_dir, 'stages'), model, loader)
