"""Processes of their own for what would not leave others alone."""

import multiprocessing

FORK = multiprocessing.get_context('fork')
# What a person at a console would wait for.
PATIENCE = 60
