"""Examinations of what a configuration means: each finds one kind of mistake that is well written all the same."""
