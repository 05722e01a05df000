from pathlib import Path

import pytest

from rml_mmseg.semi_config.combinations import check_methods, check_output

FILE = Path('a.py')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((['fixmatch'], 1, 1), '--learners=1 is only for --method rml'),
        ((['cps', 'rml'], 1, 2), '--method cps rml sets the number of learne'),
        ((['rml'], 2, 1), '--learners 1 needs one stock config, got two'),
        ((['unimatch'], 2), 'unimatch trains one network. Give one stock'),
        ((['supervised', 'classmix'], 2), 'supervised classmix trains one'),
        ((['supervised'], 1, None, 5), '--burn-in=5 is for methods that use'),
    ],
)
def test_what_does_not_go_together_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        check_methods(*arguments)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'arguments',
    [
        (['rml'], 2, None, 5),
        (['rml'], 1, 1),
        (['cps'], 2),
        # The second network is of CPS alone.
        (['supervised', 'cps'], 2, None, 5),
    ],
)
def test_what_goes_together(arguments):
    check_methods(*arguments)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((['rml'], None, None), 'give --out FILE.py for one method'),
        ((['rml'], FILE, FILE), 'or --suite FILE.py for several'),
        ((['cps', 'rml'], FILE, None), '--out=a.py is one config, but'),
    ],
)
def test_files_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_output(*arguments)
