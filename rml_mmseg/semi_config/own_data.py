"""The user's own data, as image_folder.py describes it."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from rml_mmseg.engine.config_files import read_config

from .data import SemiData, listed, pipeline_of
from .mask_folders import one_dataset
from .pipelines import KEY, strong_steps, without_zero_label
from .stock_data import files_of_list, scored_images, take_unlabelled


def data_of_config(
    cfg: Config,
    dataset_config: Path,
    own_geometry: bool = True,
    runs: Sequence[tuple[Path, Path]] = (),
    allow_overlap: bool = False,
) -> SemiData:
    """Read the data of a ``dataset_config.py``.

    Args:
        cfg (Config): A stock config.
        dataset_config (Path): ``dataset_config.py`` that
            ``image_folder.py`` has written.
        own_geometry (bool): Whether to use its pipelines and sizes instead
            of the stock config's. Defaults to True.
        runs (Sequence[tuple[Path, Path]]): Lists of the labelled and of the
            unlabelled images of each run, as ``make_splits.py`` writes them,
            in place of its own lists. All are checked, and those of the
            first run are used. Defaults to ().
        allow_overlap (bool): Whether images may be in both lists. Defaults
            to False.

    Raises:
        FileNotFoundError: If a list, an image or a mask is missing.
        ValueError: If the config cannot be read, it holds no data sets or no
            unlabelled image, or labelled or held-out images are listed as
            unlabelled.
    """
    try:
        own = read_config(dataset_config)
    except ValueError as error:
        raise ValueError(
            f'--dataset: {error}. Give the dataset_config.py that '
            'image_folder.py writes'
        ) from error
    needed = ('labelled_dataset', 'unlabelled_dataset', 'num_classes')
    for key in needed:
        if key not in own:
            raise ValueError(
                f'--dataset: {dataset_config} has no {key}. Give the '
                'dataset_config.py that image_folder.py writes'
            )
    labelled, unlabelled = (
        {k: v for k, v in own[key].items() if k != KEY}
        for key in ('labelled_dataset', 'unlabelled_dataset')
    )
    strong = strong_steps(unlabelled.pop('pipeline', None) or ())
    hooks = list(own.get('custom_hooks') or ())
    held_out = {
        split: dict(own[f'{split}_dataloader'].dataset)
        for split in ('val', 'test')
        if f'{split}_dataloader' in own
    }
    if runs:
        scored = scored_images(own, ['val_dataloader', 'test_dataloader'])
        lists = list(dict.fromkeys(path for path, _ in runs))
        labelled = one_dataset([labelled], lists)
        known = {path: files_of_list(labelled, path) for path in lists}
        taken = {} if allow_overlap else known
        take_unlabelled(unlabelled, runs, taken, scored)
    try:
        listed(unlabelled)
    except ValueError as error:
        raise ValueError(
            f'--dataset: {error}. If all images are annotated, divide them '
            'with make_splits.py and give its lists by --labelled '
            'and --unlabelled'
        ) from error
    if own_geometry:
        return SemiData(
            labelled,
            unlabelled,
            held_out,
            own.num_classes,
            crop_size=tuple(own.crop_size),
            image_pipeline=own.image_pipeline,
            tta_pipeline=own.get('tta_pipeline'),
            strong=strong,
            hooks=hooks,
        )
    train = without_zero_label(pipeline_of(cfg, 'train_dataloader'))
    labelled['pipeline'] = train
    for dataset in held_out.values():
        test = without_zero_label(pipeline_of(cfg, 'val_dataloader'))
        dataset['pipeline'] = test
    return SemiData(
        labelled,
        unlabelled,
        held_out,
        own.num_classes,
        strong=strong,
        hooks=hooks,
    )
