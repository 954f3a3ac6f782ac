"""Trials of a configuration: the YAML tests beside it, run on the real host with a store and a clock of their own."""
