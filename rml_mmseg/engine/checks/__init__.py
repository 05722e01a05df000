"""Checks that find faults of a run before it begins."""
