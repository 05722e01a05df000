import pytest

from rml_mmseg.experiments.scalars import read_curves
from rml_mmseg.experiments.suites.progress import (
    Progress,
    last_iteration,
    remaining_seconds,
    training_logs,
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
    train, val = read_curves(sorted(training_logs(tmp_path)))
    scores = dict(val['mIoU'])
    # The later session counts, as it made the checkpoints.
    assert scores == {60: 1.0, 80: 3.0}
    assert list(scores) == [60, 80]
    assert dict(train['mIoU']) == {9: 7.0}


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
