import json

import pytest

from rml_mmseg.evaluation.suites.progress import (
    Progress,
    last_iteration,
    monitor_curves,
    remaining_seconds,
    training_curve,
    training_logs,
    validation_scores,
)


def write_log(folder, session, text):
    path = folder / session / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_last_iteration(tmp_path):
    assert last_iteration(training_logs(tmp_path)) == 0
    first = write_log(
        tmp_path,
        'a',
        '{"iter": 50, "step": 50}\n{"mIoU": 1.0, "step": 60}\n{"iter": 9',
    )
    second = write_log(tmp_path, 'b', '{"loss": 2.0, "iter": 55}\n')
    write_log(tmp_path / 'test', 'c', '{"iter": 99}')
    assert training_logs(tmp_path) == {first, second}
    assert last_iteration([first]) == 60
    assert last_iteration([second]) == 55


def test_validation_scores(tmp_path):
    first = '{"mIoU": 1.0, "step": 60}\n{"mIoU": 7.0, "iter": 9, "step": 9}'
    write_log(tmp_path, 'a', f'{first}\n{{"mIoU": 2.0, "step": 80}}')
    write_log(tmp_path, 'b', '{"mIoU": 3.0, "step": 80}\n{"aAcc": 1.0}')
    scores = validation_scores(training_logs(tmp_path), 'mIoU')
    # The later session counts, as it made the checkpoints.
    assert scores == {60: 1.0, 80: 3.0}
    assert list(scores) == [60, 80]
    assert training_curve(training_logs(tmp_path), 'mIoU') == {9: 7.0}


@pytest.mark.parametrize('maker', ['teachers.0', 'students.0'])
def test_monitor_curves(tmp_path, maker):
    text = ''
    for step in (50, 100):
        entry = {f'monitor/{maker}/mIoU': step / 200, 'iter': step}
        text += json.dumps(entry | {'step': step}) + '\n'
    write_log(tmp_path, 'a', text + '{"monitor/total_variation": 1, "iter": 9')
    logs = training_logs(tmp_path)
    assert monitor_curves(logs) == {'labels': {50: 0.25, 100: 0.5}}
    rest = '{"monitor/total_variation": 0.1, "iter": 150, "step": 150}'
    write_log(tmp_path, 'b', rest)
    logs = training_logs(tmp_path)
    assert monitor_curves(logs)['coupling'] == {150: 0.1}
    assert monitor_curves([]) == {}


def test_pace_of_the_run_itself():
    # 5 seconds for 10 iterations, 30 to go.
    runs = [Progress('a', 100, done=70, measured=10, seconds=5.0)]
    assert remaining_seconds(runs, jobs=1) == 15.0


def test_pace_of_the_method_and_of_all():
    runs = [
        Progress('a', 10, done=10, measured=10, seconds=10.0),
        Progress('b', 10, done=10, measured=10, seconds=30.0),
        Progress('a', 10),  # 10 s, as its method
        Progress('c', 10, done=5),  # 5 of (10 + 30) / 20 s
    ]
    assert remaining_seconds(runs, jobs=1) == 10.0 + 10.0


def test_jobs_share_the_rest_but_not_a_run():
    known = Progress('a', 10, done=10, measured=10, seconds=10.0)
    runs = [known, *[Progress('a', 10)] * 4]
    assert remaining_seconds(runs, jobs=2) == 20.0
    assert remaining_seconds(runs, jobs=8) == 10.0


@pytest.mark.parametrize(
    'runs',
    [
        [Progress('a', 10)],
        [Progress('a', None, done=5, measured=5, seconds=5.0)],
    ],
)
def test_nothing_is_known(runs):
    assert remaining_seconds(runs, jobs=1) is None


def test_nothing_is_left():
    assert remaining_seconds([Progress('a', 10, done=10)], jobs=1) == 0.0
    assert remaining_seconds([], jobs=1) == 0.0
