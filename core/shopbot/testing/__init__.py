"""Simulators of Messenger and Shopify, order builders, and the contract tests of plugins: for integrators too."""
