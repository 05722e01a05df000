import json

import torch

from rml_mmseg.experiments.benchmarks import Report


def test_report_prints_judges_and_writes(tmp_path, capsys):
    report = Report('Subject', torch.device('cpu'))
    report.note('How.')
    report.table('Title', [dict(side='a', ms=12.3456), dict(side='b', ms=2)])
    report.target('ratio', 1.06, at_most=1.05)
    report.target('speed-up', 12.0, at_least=10)
    report.finish(tmp_path / 'sub' / 'out.json')
    printed = capsys.readouterr().out
    assert '12.35' in printed and 'Title' in printed
    assert 'ratio: 1.06 (at most 1.05: MISSED)' in printed
    assert 'speed-up: 12 (at least 10: reached)' in printed
    content = json.loads((tmp_path / 'sub' / 'out.json').read_text('utf-8'))
    assert [t['reached'] for t in content['targets']] == [False, True]
    assert content['tables']['Title'][0] == dict(side='a', ms=12.3456)
    assert content['machine']['torch'] == torch.__version__
    assert content['machine']['processor']
    assert content['machine']['cpu_capability']
