import pytest


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'methods must be a dict'),
        ('methods = {}', 'methods must be a dict'),
        ("methods = dict(x='a.py')", "methods.x must be.*got 'a.py'"),
        ("methods = dict(x=dict(title='X'))", 'methods.x must be'),
        ("methods = dict(x=dict(config='a.py', seed=1))", 'seed.: 1'),
        (
            "methods = dict(x=dict(config='a.py'))\nbaseline = 'y'",
            r"baseline must be one of the methods, \['x'\], got 'y'",
        ),
        (
            "methods = dict(x=dict(config='a.py', title='A'), "
            "y=dict(config='b.py', title='A'))",
            "several methods have the title 'A'",
        ),
        (
            "methods = {'x/y': dict(config='a.py')}",
            "'x/y' is used as a folder name",
        ),
        ("methods = {'seed_1': dict(config='a.py')}", 'not begin with'),
        ("methods = dict(x=dict(config={'..': 'a.py'}))", 'as a folder name'),
        ("methods = dict(x=dict(config='a.py'))\nseeds = [1.5]", '1.5'),
        ("methods = dict(x=dict(config='a.py'))\nseeds = []", 'seeds must'),
        ("methods = dict(x=dict(config='a.py'))\nseeds = 3", 'got 3'),
        ("methods = dict(x=dict(config='a.py'))\nseeds = [-1]", r'\[-1\]'),
        (
            "methods = dict(x=dict(config='a.py'))\nseeds = [0, 1, 0]",
            r'not repeat a seed.*\[0, 1, 0\]',
        ),
        (
            "methods = dict(x=dict(config='a.py'))\nsplits = [92, 183]",
            '92 is used as a folder name. Use only letters',
        ),
        ('methods = dict(x=dict(config=3))', 'methods.x.config must be'),
        ('methods = dict(x=dict(config={}))', 'methods.x.config must be'),
        (
            "methods = dict(x=dict(config='a.py', title=3))",
            'methods.x.title must be a string, got 3',
        ),
        (
            "methods = dict(x=dict(config='a.py', options=3))",
            'methods.x.options must be a dict of settings.*got 3',
        ),
        (
            "methods = dict(x=dict(config='a.py'))\noptions = [3]",
            r'options must be a dict of settings.*got \[3\]',
        ),
        (
            "methods = dict(x=dict(config='a.py'))\ncheckpoints = ['first']",
            r"checkpoints must be a list of \['last', 'best'\]",
        ),
        (
            "methods = dict(x=dict(config='a.py'))\nsplits = {'a': 1}",
            'splits must be a list of names or a dict of options',
        ),
        (
            "methods = dict(x=dict(config='a.py', splits=['b']))\n"
            "splits = ['a']",
            r"methods.x.splits must be among.*\['a'\], got \['b'\]",
        ),
        (
            "methods = dict(x=dict(config={'a': 'a.py'}, splits=['a']))",
            'methods.x.config already names the splits',
        ),
    ],
)
def test_faulty_suites(load, text, message):
    with pytest.raises(ValueError, match=f'suite.py: .*{message}'):
        load(text)


def test_misspelt_settings_are_told_from_variables(load):
    text = "methods = dict(x=dict(config='a.py'))\n"
    with pytest.raises(ValueError, match="'seed'.*did you mean 'seeds'"):
        load(f'{text}seed = [0, 1]')
    suite = load(f'seed = 3\nlists = {{}}\n{text}seeds = [seed]')
    assert suite['seeds'] == [3]


def test_a_file_that_cannot_be_read_is_named(load):
    with pytest.raises(ValueError, match='^suite.py .* SyntaxError: .*line 1'):
        load("methods = dict(x=dict(config='a.py')")
