"""What tests of plugins need, for integrators too: contracts, pytest fixtures, order builders, simulators.

docs/testing-plugins.md lists the modules that tests may import.
"""
