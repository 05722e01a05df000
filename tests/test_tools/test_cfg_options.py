"""Overrides of a config that nothing reads."""

import pytest

from tools.analysis_tools import browse_views, check_data, learners_summary
from tools.model_converters import export_onnx, export_segmentor


@pytest.mark.parametrize(
    'tool',
    [
        browse_views,
        check_data,
        learners_summary,
        export_onnx,
        export_segmentor,
    ],
)
def test_every_tool_refuses_them(tool, trained, call, monkeypatch, capsys):
    monkeypatch.setattr(export_onnx, 'NEEDED', ())
    arguments = [trained / 'tiny.py', '--cfg-options', 'no_such_setting=1']
    if tool in (export_onnx, export_segmentor):
        arguments.insert(1, trained / 'iter_7.pth')
    if tool not in (check_data, learners_summary):
        arguments += ['--out', trained / 'out']
    try:
        call(tool, *arguments)
        said = capsys.readouterr().err
    except SystemExit as leaving:
        said = str(leaving)
    assert "sets 'no_such_setting', which has no effect" in said
