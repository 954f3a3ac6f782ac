"""Pick what a GraphQL selection asks for out of plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shopbot.testing.graphql_document import Selected

NOT_OBJECTS = frozenset({"nodes", "edges", "node", "pageInfo"})


class SelectionError(Exception):
    """A selection that the schema does not have, as Shopify words and codes it."""

    def __init__(self, message: str, code: str, path: Sequence[str], **extensions: str) -> None:
        super().__init__(message)
        self.body: dict[str, Any] = {
            "message": message,
            "locations": [{"line": 1, "column": 1}],
            "path": ["query", *path],
            "extensions": {"code": code, **extensions},
        }


@dataclass(frozen=True)
class Connection:
    """A list that is paged: asked for as `nodes`, `edges` or `pageInfo`.

    cursors: one for each item. has_next, has_previous: whether there are items after and before these.
    """

    type_name: str
    items: Sequence[Any]
    cursors: Sequence[str]
    has_next: bool = False
    has_previous: bool = False

    def as_data(self) -> dict[str, Any]:
        """Give it as an object with the fields of a GraphQL connection."""
        edge = f"{self.type_name}Edge"
        edges = zip(self.items, self.cursors, strict=True)
        return {
            "__typename": f"{self.type_name}Connection",
            "nodes": list(self.items),
            "edges": [{"__typename": edge, "node": item, "cursor": cursor} for item, cursor in edges],
            "pageInfo": {
                "__typename": "PageInfo",
                "hasNextPage": self.has_next,
                "hasPreviousPage": self.has_previous,
                "startCursor": self.cursors[0] if self.cursors else None,
                "endCursor": self.cursors[-1] if self.cursors else None,
            },
        }


def connection_of(type_name: str, items: Sequence[Any]) -> Connection:
    """Give a connection of a short list, such as an order's lines."""
    return Connection(type_name, items, [f"cursor{position}" for position in range(len(items))])


def select(value: Any, selections: Sequence[Selected], path: tuple[str, ...] = ()) -> Any:  # noqa: ANN401 - JSON
    """Give the parts of *value* that *selections* name.

    Raises SelectionError for a field that *value* does not have, and for a selection that is missing or too much.
    """
    if isinstance(value, list | tuple):
        return [select(item, selections, path) for item in value]
    if value is None:
        return None
    if not isinstance(value, dict | Connection):
        if selections:
            raise SelectionError(f"Selections can't be made on scalars (field '{path[-1]}')", "selectionMismatch", path)
        return value
    if not selections:
        raise SelectionError(
            f"Field must have selections (field '{path[-1]}' returns an object)", "selectionMismatch", path
        )
    data = value.as_data() if isinstance(value, Connection) else value
    answer: dict[str, Any] = {}
    for selected in selections:
        if selected.name not in data:
            type_name = str(data.get("__typename", "Object"))
            raise SelectionError(
                f"Field '{selected.name}' doesn't exist on type '{type_name}'",
                "undefinedField",
                (*path, selected.name),
                typeName=type_name,
                fieldName=selected.name,
            )
        found = _limited(data[selected.name], selected.arguments)
        answer[selected.key] = select(found, selected.selections, (*path, selected.name))
    return answer


def count_objects(selections: Sequence[Selected]) -> int:
    """Count the nested objects that *selections* ask for, as Shopify's cost does."""
    total = 0
    for selected in selections:
        if selected.selections:
            total += (selected.name not in NOT_OBJECTS) + count_objects(selected.selections)
    return total


def _limited(value: Any, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Apply `first:` to a list inside an order."""
    first = arguments.get("first")
    if not isinstance(first, int):
        return value
    if isinstance(value, Connection):
        more = len(value.items) > first
        return Connection(value.type_name, value.items[:first], value.cursors[:first], has_next=more)
    return value[:first] if isinstance(value, list) else value
