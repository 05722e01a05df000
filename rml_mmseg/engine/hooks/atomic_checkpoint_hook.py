"""Checkpoints that survive whatever ends the run."""

import inspect
import os.path as osp
from collections import deque
from typing import Any, Optional

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import BaseLoop, Runner, find_latest_checkpoint
from mmseg.registry import HOOKS

from rml_mmseg.datasets.whole_file import (
    BACKEND,
    remove_unfinished,
    write_whole,
)
from rml_mmseg.setting_checks import check_choice, check_known

from ..changed_settings import compare_texts
from ..checks.scored_set import IOU_METRICS
from ..fitting_weights import check_weights
from ..unwrap import unwrap
from ..whole_checkpoint import (
    CheckpointError,
    check_checkpoint,
    check_owner,
    newest_whole_checkpoint,
)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, made safe against any end of a run.

    On a local disk every checkpoint, and the file ``last_checkpoint``, is
    written under a temporary name and then renamed, and an older one is
    removed only when the newer is in place: a complete checkpoint exists at
    any instant, even on a full disk. Unfinished files of a killed run are
    removed when the next one begins. A run with ``resume=True`` resumes from
    the newest checkpoint that is complete and of its model (with a remote
    ``out_dir``, from the last one). It warns of those that it skips, and of
    settings that differ from those of the checkpoint. Weights of another
    model are refused.

    Args:
        kwargs: Arguments of ``CheckpointHook``.

    Raises:
        CheckpointError: If the checkpoint to resume from, or every one in
            the work folder, is damaged or of another model, if it is of
            another optimiser, if the folder of a new run holds checkpoints
            of another config, or if the weights to test, or to train from,
            are of another model.
        OSError: If a checkpoint cannot be written; names the file and its
            disk.
        ValueError: If a setting is unknown, or ``save_best`` is none of the
            scores.
    """

    backend_args: Optional[dict]
    keep_ckpt_ids: deque
    best_ckpt_path: Optional[str]
    best_ckpt_path_dict: dict[str, Optional[str]]

    def __init__(self, **kwargs: Any) -> None:
        if kwargs.get('file_client_args') is not None:
            raise ValueError(
                'default_hooks.checkpoint.file_client_args is no longer '
                'supported: use backend_args'
            )
        if kwargs.get('greater_keys') is None:
            # Scores of single classes, such as IoU.crack.
            own = [f'{name[1:]}.' for name in IOU_METRICS]
            kwargs['greater_keys'] = self._default_greater_keys + own
        super().__init__(**kwargs)
        known = list(inspect.signature(CheckpointHook.__init__).parameters)
        # Unknown ones would fail only when the first checkpoint is saved.
        check_known('default_hooks.checkpoint', self.args, known)

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint to resume from, the same on all ranks."""
        # In a test it is None, or a config that was not built.
        if not isinstance(runner._train_loop, BaseLoop):
            return
        answer: list[Any] = [None, None]
        if is_main_process():
            try:
                if runner._resume:
                    answer[0] = self._choose(runner)
                else:
                    check_owner(
                        self._folder(runner),
                        runner.experiment_name,
                        self.filename_tmpl,
                    )
            except CheckpointError as error:
                answer[1] = str(error)
        broadcast_object_list(answer)
        path, problem = answer
        if problem is not None:
            raise CheckpointError(problem)
        if not runner._resume:
            return
        runner._load_from = path
        if path is None:
            # The Runner would follow `last_checkpoint` to a file that is gone.
            runner._resume = False
            runner._load_from = runner.cfg.get('load_from')
            weights = runner._load_from
            runner.logger.info(
                f'{self._folder(runner)!r} holds no checkpoint to resume '
                'from: the run starts from the beginning'
                + (f', with the weights of {weights!r}' if weights else '')
            )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare a checkpoint with the run that loads it."""
        if runner._resume:
            # As text, in which lazy configs name classes the same way.
            text = str(checkpoint['meta'].get('cfg', ''))
            warning = compare_texts(text, runner.cfg.pretty_text)
            if warning:
                runner.logger.warning(warning)
            return
        # mmengine leaves out what does not fit, with only a warning.
        tested = not isinstance(runner._train_loop, BaseLoop)
        try:
            check_weights(checkpoint, unwrap(runner.model), tested)
        except CheckpointError as error:
            raise CheckpointError(
                f'{runner._load_from!r} does not fit the config: {error}'
            ) from error

    def _choose(self, runner: Runner) -> Optional[str]:
        state = unwrap(runner.model).state_dict()
        path = runner._load_from
        folder = self._folder(runner)
        if path is None and '://' in folder:
            # Not on this machine, so they cannot be checked.
            return find_latest_checkpoint(runner.work_dir)
        if path is None:
            return newest_whole_checkpoint(folder, self.filename_tmpl, state)
        if osp.isfile(path):
            try:
                check_checkpoint(path, state)
            except CheckpointError as error:
                raise CheckpointError(
                    f'cannot resume from {path!r}: {error}'
                ) from error
        return path

    def _folder(self, runner: Runner) -> str:
        """Folder of the checkpoints, known before the training begins."""
        if self.out_dir is None:
            return runner.work_dir
        name = osp.basename(runner.work_dir.rstrip(osp.sep))
        return osp.join(self.out_dir, name)

    def before_train(self, runner: Runner) -> None:
        """Write files atomically on a local disk; remove unfinished ones."""
        folder = str(self.out_dir or runner.work_dir)
        if self.backend_args is None and '://' not in folder:
            self.backend_args = dict(backend=BACKEND)
        super().before_train(runner)
        if is_main_process():
            for place in {str(self.out_dir), str(runner.work_dir)}:
                remove_unfinished(place)

    def save_now(self, runner: Runner, iteration: int) -> Optional[str]:
        """Save a checkpoint outside the interval, unless it exists.

        With ``by_epoch`` nothing is saved: mmengine repeats an interrupted
        epoch, which must then begin with the weights of its start.

        Args:
            runner (Runner): The runner.
            iteration (int): Number of iterations that are done.

        Returns:
            str | None: Path of the newest one, None if there is none.
        """
        if self.by_epoch:
            return self.last_ckpt or find_latest_checkpoint(runner.work_dir)
        name = self.filename_tmpl.format(iteration)
        if self.last_ckpt is None or osp.basename(self.last_ckpt) != name:
            meta = dict(epoch=runner.epoch, iter=iteration)
            self._save_checkpoint_with_step(runner, iteration, meta)
        return str(self.last_ckpt)

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict
    ) -> None:
        """As in ``CheckpointHook``, but remove old ones after saving."""
        surplus = self._note(runner, step)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if not is_main_process():
            return
        note = osp.join(runner.work_dir, 'last_checkpoint')
        write_whole(note, str(self.last_ckpt).encode())
        for old in surplus:
            self._remove(
                self.file_backend.join_path(
                    self.out_dir, self.filename_tmpl.format(old)
                )
            )

    def _note(self, runner: Runner, step: int) -> list[int]:
        """Add a step to those kept, and return those that are too many."""
        if self.max_keep_ckpts <= 0:
            return []
        kept = [old for old in self.keep_ckpt_ids if old != step] + [step]
        # Those to remove are saved, too: if this run ends before it removes
        # them, a resumed one does.
        runner.message_hub.update_info('keep_ckpt_ids', kept)
        self.keep_ckpt_ids = deque(kept, self.max_keep_ckpts)
        return kept[: -self.max_keep_ckpts]

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """As in ``CheckpointHook``, but remove the old best after saving."""
        if not self.save_best:
            return
        for key in self.key_indicators:
            if key != 'auto':
                check_choice(
                    'default_hooks.checkpoint.save_best', key, list(metrics)
                )
        before = self._best_paths()
        # Paths that the parent does not know it cannot remove too early.
        self._set_best_paths(dict.fromkeys(before))
        super()._save_best_checkpoint(runner, metrics)
        after = self._best_paths()
        for key, old in before.items():
            if after.get(key) is None:
                after[key] = old
            elif old and old != after[key] and is_main_process():
                self._remove(old)
        self._set_best_paths(after)

    def _best_paths(self) -> dict[str, Optional[str]]:
        """Path of the best checkpoint by each score of ``save_best``."""
        if len(self.key_indicators) == 1:
            return {'': self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best_paths(self, paths: dict[str, Optional[str]]) -> None:
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = paths['']
        else:
            self.best_ckpt_path_dict.update(paths)

    def _remove(self, path: str) -> None:
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):
            self.file_backend.rmtree(path)
