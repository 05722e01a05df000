"""Finding the newest checkpoint that a run can resume from."""

import inspect
import logging
import os.path as osp
import re
import zipfile
from collections.abc import Mapping
from glob import escape, glob
from typing import Any, Optional

import torch
from mmengine.logging import print_log

from ..compat import SAFE_LOADING

NEEDED = ('meta', 'message_hub', 'state_dict', 'optimizer')
# What a rectifier counts for its alignment; it may begin to at any time.
OPTIONAL = re.compile(r'rectifiers\.\d+\.shares')

# Time that mmengine appends to the name of a config, or of an experiment.
STARTED = re.compile(r'_?\d{8}_\d{6}$')


class CheckpointError(ValueError):
    """A checkpoint is damaged, or does not belong to this run."""


def read_checkpoint(path: str) -> dict[str, Any]:
    """Read a checkpoint and make sure that it is complete.

    Args:
        path (str): A file written by ``torch.save``.

    Raises:
        CheckpointError: If a part is missing or damaged, or if it holds
            objects that are not allowed in a checkpoint.
    """
    options: dict[str, Any] = dict(map_location='cpu')
    if SAFE_LOADING:
        options['weights_only'] = True
    archive = zipfile.is_zipfile(path)
    if 'mmap' in inspect.signature(torch.load).parameters:
        options['mmap'] = archive
    try:
        if archive:
            # Nothing else verifies the checksums of tensors.
            with zipfile.ZipFile(path) as file:
                damaged = file.testzip()
            if damaged is not None:
                raise CheckpointError(f'its part {damaged!r} is damaged')
        found = torch.load(path, **options)
    except CheckpointError:
        raise
    except Exception as error:
        # torch.load raises errors of any kind for damaged files.
        reason = why_unreadable(error)
        raise CheckpointError(f'it cannot be read ({reason})') from error
    if not isinstance(found, dict):
        raise CheckpointError(
            f'it holds a {type(found).__name__}, not a checkpoint'
        )
    return found


def why_unreadable(error: Exception) -> str:
    """One line that says why PyTorch cannot read a file.

    Args:
        error (Exception): Raised by ``torch.load``.
    """
    # Which object is not allowed comes after many lines of advice.
    reason = str(error).rpartition('WeightsUnpickler error: ')[2].strip()
    return (reason or type(error).__name__).splitlines()[0]


def check_checkpoint(
    path: str, state: Optional[Mapping[str, torch.Tensor]] = None
) -> int:
    """Make sure that a run can resume from a checkpoint.

    Args:
        path (str): The checkpoint.
        state (Mapping, optional): State of the model that it must fit.

    Returns:
        int: Its iteration.

    Raises:
        CheckpointError: If it is damaged, not saved by a training, or of
            another model.
    """
    found = read_checkpoint(path)
    lacking = [key for key in NEEDED if key not in found]
    if lacking:
        raise CheckpointError(
            f'it lacks {", ".join(lacking)}, so no run can resume from it. '
            'Use load_from to start a new run with its weights'
        )
    iteration = found['meta'].get('iter')
    if not isinstance(iteration, int):
        raise CheckpointError(f'its iteration is {iteration!r}')
    if state is not None:
        _check_model(found['state_dict'], state)
    return iteration


def _check_model(
    found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]
) -> None:
    names = {
        name
        for name in found.keys() ^ wanted.keys()
        if not OPTIONAL.fullmatch(name)
    }
    if names:
        raise CheckpointError(
            f'it is of another model: {len(names)} tensors are in only one '
            f'of the two, such as {min(names)!r}'
        )
    check_shapes(found, wanted)


def check_shapes(
    found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]
) -> None:
    """Refuse tensors that have the same name but different shapes.

    Args:
        found (Mapping): State of a checkpoint.
        wanted (Mapping): State of the model.

    Raises:
        CheckpointError: If there are any; names the first.
    """
    for name, tensor in wanted.items():
        if not isinstance(tensor, torch.Tensor):
            # The extra state of a module, which can be anything.
            continue
        if name in found and found[name].shape != tensor.shape:
            raise CheckpointError(
                f'it is of another model: {name!r} has the shape '
                f'{tuple(found[name].shape)}, not {tuple(tensor.shape)}'
            )


def candidates(folder: str, template: str = 'iter_{}.pth') -> list[str]:
    """Files that look like checkpoints of a run, the newest first.

    Args:
        folder (str): Where the run saved them.
        template (str): Their names, as ``CheckpointHook.filename_tmpl``.
    """
    pattern = re.sub(r'\\{.*?\\}', r'(\\d+)', re.escape(template))
    numbered = []
    for path in glob(osp.join(escape(folder), '*')):
        match = re.fullmatch(pattern, osp.basename(path))
        if match:
            numbered.append((int(''.join(match.groups()) or 0), path))
    return [path for _, path in sorted(numbered, reverse=True)]


def newest_whole_checkpoint(
    folder: str,
    template: str = 'iter_{}.pth',
    state: Optional[Mapping[str, torch.Tensor]] = None,
) -> Optional[str]:
    """Find the newest checkpoint in a folder that a run can resume from.

    Those that are damaged or of another model are skipped with a warning.

    Args:
        folder (str): Where the run saved its checkpoints.
        template (str): Their names, as ``CheckpointHook.filename_tmpl``.
        state (Mapping, optional): State of the model that it must fit.

    Returns:
        str | None: Its path; None where there is no checkpoint.

    Raises:
        CheckpointError: If there are checkpoints, but none is usable.
    """
    problems = []
    for path in candidates(folder, template):
        try:
            check_checkpoint(path, state)
        except CheckpointError as error:
            problems.append(f'{path!r} is skipped: {error}')
            print_log(problems[-1], logger='current', level=logging.WARNING)
            continue
        return path
    if problems:
        raise CheckpointError(
            'no checkpoint of the run can be resumed:\n'
            + '\n'.join(problems)
            + '\nMove them away to start a new run'
        )
    return None


def check_owner(
    folder: str, experiment: str, template: str = 'iter_{}.pth'
) -> None:
    """Make sure that a new run does not overwrite another one's checkpoints.

    Args:
        folder (str): Where the new run saves its own.
        experiment (str): Its ``experiment_name``.
        template (str): Their names, as ``CheckpointHook.filename_tmpl``.

    Raises:
        CheckpointError: If the newest one there is of another config.
    """
    for path in candidates(folder, template)[:1]:
        try:
            meta = read_checkpoint(path).get('meta', {})
        except CheckpointError:
            # An unreadable file belongs to no run.
            return
        before, now = (
            STARTED.sub('', str(name or ''))
            for name in (meta.get('experiment_name'), experiment)
        )
        if before and now and before != now:
            raise CheckpointError(
                f'{folder!r} holds checkpoints of another config, {before}, '
                f'such as {osp.basename(path)!r}, which those of {now} would '
                'replace: set a separate work_dir (a config inherits that of '
                'its _base_), or --work-dir'
            )
