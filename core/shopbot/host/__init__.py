"""Puts a host together from a configuration, and runs it: one object per shop, one process or several."""
