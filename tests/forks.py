"""Separate processes for tests that would affect others."""

import multiprocessing

FORK = multiprocessing.get_context('fork')
# Seconds that a person at a console would wait.
PATIENCE = 60
