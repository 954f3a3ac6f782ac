"""What the store raises."""

from __future__ import annotations


class StoreError(Exception):
    """The store could not be opened or did not keep what it was given; the message is for the operator."""
