"""Running experiments, and reading what they left."""
