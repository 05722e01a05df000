import io

import pytest

from rml_mmseg.datasets.progress_bar import with_bar


@pytest.mark.parametrize('terminal', [False, True])
def test_only_a_terminal_has_a_bar(monkeypatch, terminal):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr('sys.stderr', stream)
    assert list(with_bar(range(3))) == [0, 1, 2]
    assert ('3/3' in stream.getvalue()) == terminal
    assert terminal or stream.getvalue() == ''
