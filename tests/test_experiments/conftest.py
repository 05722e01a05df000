from tests.quick import quick_runners  # noqa: F401  (for all tests here)
