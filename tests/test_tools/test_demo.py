"""The command line of the demo."""

import pytest

from tools import demo


@pytest.mark.parametrize('iters', ['0', '-4'])
def test_a_length_of_nothing_is_refused(monkeypatch, capsys, iters):
    monkeypatch.setattr('sys.argv', ['demo.py', '--iters', iters])
    with pytest.raises(SystemExit):
        demo.parse_args()
    assert f'--iters must be 1 or more, got {iters}' in capsys.readouterr().err
