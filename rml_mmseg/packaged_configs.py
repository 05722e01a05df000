"""Location of this package's configs."""

import os
from pathlib import Path


def configs_folder() -> Path:
    """The folder of this package's configs, in a checkout or installed.

    Raises:
        FileNotFoundError: If there is none.
    """
    package = Path(__file__).resolve().parent
    for folder in (package.parent / 'configs', package / '.mim' / 'configs'):
        if (folder / '_base_' / 'models').is_dir():
            return folder
    raise FileNotFoundError(
        f'no configs beside or in {package}; install the package again'
    )


def base_path(folder: Path, name: str) -> str:
    """Path of one of our base configs, for a config in a given folder.

    Args:
        folder (Path): Where the config will be.
        name (str): Path below ``_base_``.

    Returns:
        str: Relative if both are in one checkout, so that it can be moved;
        otherwise absolute.
    """
    configs = configs_folder()
    target = configs / '_base_' / name
    if folder.resolve().is_relative_to(configs.parent):
        return Path(os.path.relpath(target, folder.resolve())).as_posix()
    return target.as_posix()
