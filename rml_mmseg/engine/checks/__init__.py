"""What is wrong with a run, told before it begins."""
