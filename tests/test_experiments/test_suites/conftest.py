from pathlib import Path

import pytest

from rml_mmseg.experiments.suites import load_suite


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write_and_load(text):
        for name in ('a', 'b'):
            text_of_config = 'train_cfg = dict(max_iters=8)'
            Path(f'{name}.py').write_text(text_of_config)
        Path('suite.py').write_text(text)
        return load_suite('suite.py')

    return write_and_load
