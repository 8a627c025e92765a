"""Experiments that compare: each is a command, runs its rivals in turn, and prints ratios."""
