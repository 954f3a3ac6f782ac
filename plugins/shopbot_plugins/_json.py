"""Reads the JSON that services answer, whatever they put into it."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx


def read_object(response: httpx.Response) -> Mapping[str, Any]:
    """Give an answer's JSON object; empty where its body is none."""
    try:
        return as_object(response.json())
    except (ValueError, RecursionError):
        return {}


def as_object(value: object) -> Mapping[str, Any]:
    """Take a JSON object; empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> Sequence[Any]:
    """Take a JSON list; empty for anything else."""
    return value if isinstance(value, list) else ()


def as_objects(value: object) -> Sequence[Mapping[str, Any]]:
    """Take the objects of a JSON list; empty for anything else."""
    return [item for item in as_list(value) if isinstance(item, Mapping)]
