"""Running experiments and reading their results."""
