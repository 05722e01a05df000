from mmengine.runner import Runner

from rml_mmseg.experiments.suites.log_end import last_words, log_end


def hooks_of_mmengine():
    """What a runner says of its hooks, by mmengine itself."""
    runner = object.__new__(Runner)
    runner._hooks = []
    runner.register_default_hooks()
    return runner.get_hooks_info()


def test_the_table_of_hooks_is_left_out(tmp_path):
    table = hooks_of_mmengine()
    assert table.count('\n') > 40
    log = tmp_path / 'train.log'
    log.write_text(
        'Loads a.pth\n2026/01/01 00:00:00 - mmengine - INFO - Hooks will be '
        f'executed in the following order:\n{table}\n(10) items left\n'
        'after_train: saved\n\n'
    )
    assert [line for line in log_end(log) if line] == [
        *('Loads a.pth', '(10) items left', 'after_train: saved')
    ]
    assert last_words(log) == 'after_train: saved'
    assert log_end(log, 2) == ['after_train: saved', '']


def test_last_words_of_nothing(tmp_path):
    log = tmp_path / 'train.log'
    log.write_text('\n \n')
    assert last_words(log) == ''
    log.write_text('x' * 300)
    assert last_words(log) == 'x' * 200
