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
    written beside and renamed, and an older one is removed only when the
    newer is in its place: at any instant, and on a full disk, a whole
    checkpoint is there. What a killed run left unfinished goes when the next
    one begins. A run with ``resume=True`` goes on from the newest
    one that is whole and of its model, of a remote ``out_dir`` from the last
    one; others are named and passed over, and settings that are not those it
    was trained with are named. Weights of another model are not loaded.

    Args:
        kwargs: Arguments of ``CheckpointHook``.

    Raises:
        CheckpointError: If the checkpoint to resume from, or every one of
            the work folder, is damaged or foreign, if it is of another
            optimiser, if the folder of a new run holds those of another
            config, or if the weights of one to test, or to train from, are
            of another model.
        OSError: If one cannot be written; names the file and its disk.
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
                'default_hooks.checkpoint.file_client_args is of old '
                'versions: use backend_args'
            )
        if kwargs.get('greater_keys') is None:
            # Scores of single classes, such as IoU.crack.
            own = [f'{name[1:]}.' for name in IOU_METRICS]
            kwargs['greater_keys'] = self._default_greater_keys + own
        super().__init__(**kwargs)
        known = list(inspect.signature(CheckpointHook.__init__).parameters)
        # They would fail only when the first checkpoint is saved.
        check_known('default_hooks.checkpoint', self.args, known)

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint to resume from, alike in all processes."""
        # Of a test it is None, or settings from which none was built.
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
                'from: the run starts from its beginning'
                + (f', with the weights of {weights!r}' if weights else '')
            )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare what is loaded with what it is loaded into."""
        if runner._resume:
            # By its text, which names classes of lazy configs alike.
            text = str(checkpoint['meta'].get('cfg', ''))
            warning = compare_texts(text, runner.cfg.pretty_text)
            if warning:
                runner.logger.warning(warning)
            return
        # What does not fit is left out by mmengine, with a warning.
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
            # Not on this machine, so that none can be looked at.
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
        """Where the checkpoints are, also before the training begins."""
        if self.out_dir is None:
            return runner.work_dir
        name = osp.basename(runner.work_dir.rstrip(osp.sep))
        return osp.join(self.out_dir, name)

    def before_train(self, runner: Runner) -> None:
        """Take the files that are written whole, on a local disk."""
        folder = str(self.out_dir or runner.work_dir)
        if self.backend_args is None and '://' not in folder:
            self.backend_args = dict(backend=BACKEND)
        super().before_train(runner)
        if is_main_process():
            for place in {str(self.out_dir), str(runner.work_dir)}:
                remove_unfinished(place)

    def save_now(self, runner: Runner, iteration: int) -> Optional[str]:
        """Save a checkpoint beyond the interval, unless it is there.

        By epochs nothing is saved: mmengine begins the broken one again,
        which then must have the weights of its start.

        Args:
            runner (Runner): The runner.
            iteration (int): Number of iterations that are done.

        Returns:
            str | None: Path of the newest one, None where there is none.
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
        """As of ``CheckpointHook``, but remove only what is replaced."""
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
        """Note a step among those kept, and give those that are too many."""
        if self.max_keep_ckpts <= 0:
            return []
        kept = [old for old in self.keep_ckpt_ids if old != step] + [step]
        # Those that go are noted, too: a resumed run removes them if this
        # one ends before it does.
        runner.message_hub.update_info('keep_ckpt_ids', kept)
        self.keep_ckpt_ids = deque(kept, self.max_keep_ckpts)
        return kept[: -self.max_keep_ckpts]

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """As of ``CheckpointHook``, but keep the old best until then."""
        if not self.save_best:
            return
        for key in self.key_indicators:
            if key != 'auto':
                check_choice(
                    'default_hooks.checkpoint.save_best', key, list(metrics)
                )
        before = self._best_paths()
        # What is not known cannot be removed too early.
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
        """Path of the best checkpoint by each score that is looked at."""
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
