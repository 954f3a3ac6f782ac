"""The base of every value that flows through the host."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value with declared fields only."""

    model_config = ConfigDict(frozen=True, extra="forbid")
