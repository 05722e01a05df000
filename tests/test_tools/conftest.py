import sys

import pytest


@pytest.fixture
def call(monkeypatch):
    def run(module, *arguments):
        argv = [module.__file__, *map(str, arguments)]
        monkeypatch.setattr(sys, 'argv', argv)
        module.main()

    return run
