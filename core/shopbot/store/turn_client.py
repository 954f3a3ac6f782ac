"""A client whose commands share a connection, and with it round trips."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.client import EMPTY_RESPONSE
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as StoreTimeoutError

from shopbot.store.shared_connection import AnswerLostError, SharedConnection

_ALONE = frozenset({"XREADGROUP", "XREAD", "WAIT", "WAITAOF", "BLPOP", "BLMOVE"})
"""Commands that wait on the server would keep all others waiting, too."""

_LOST = (StoreConnectionError, StoreTimeoutError)

Answer = TypeVar("Answer")

_Command = tuple[tuple[Any, ...], dict[str, Any]]


def retries() -> Retry:
    """Say how often and after which pauses a command is sent again that did not reach the store."""
    return Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=4)


def _patient_retries() -> Retry:
    """Say the same of a command whose answer was lost.

    Long enough for a store that is started anew: it may have run, and a claim of which nobody knows leaves its message
    in doubt.
    """
    return Retry(ExponentialWithJitterBackoff(base=0.1, cap=1.0), retries=7)


class TurnClient(Redis):
    """A Redis client like any other, but for its round trips.

    What is asked for in one turn of the event loop goes out together, on one connection, without waiting for earlier
    answers: a server that syncs its log before it answers does so once for all of it. Each command has its own answer
    or error. A command whose answer was lost is sent again, which all of them must bear. Commands that wait on the
    server, and transactions, have a connection of the pool to themselves.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - redis-py's own
        super().__init__(*args, **kwargs)
        self._shared = SharedConnection(self.connection_pool)
        self._retry = retries()
        self._patient_retry = _patient_retries()

    async def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - redis-py's own
        """Send a command with the others of this turn, and give its answer."""
        if args[0] in _ALONE:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call] # redis-py's
        try:
            try:
                answer = await self._shared.ask(*args)
            except _LOST as lost:
                answer = await self._again(lost, lambda: self._shared.ask(*args))
        except ResponseError:
            if EMPTY_RESPONSE in options:
                return options[EMPTY_RESPONSE]
            raise
        return await self._read((args, options), answer)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: FBT001, FBT002 - redis-py's own
        """Give a pipeline; one without a transaction goes out with the other commands of its turn."""
        if transaction:
            return super().pipeline(transaction, shard_hint)
        return _TurnPipeline(self)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 - redis-py's own
        """Wait for what is under way, then close."""
        await self._shared.close()
        await super().aclose(close_connection_pool)

    async def ask_all(self, commands: Sequence[_Command]) -> Sequence[Any]:
        """Send commands in their order, again together where an answer was lost; gives answers, errors among them."""
        try:
            found = await self._ask_all(commands)
        except _LOST as lost:
            found = await self._again(lost, lambda: self._ask_all(commands))
        return [
            answer if isinstance(answer, ResponseError) else await self._read(command, answer)
            for command, answer in zip(commands, found, strict=True)
        ]

    async def _again(self, lost: Exception, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask again, with pauses, what was not answered."""
        retry = self._patient_retry if isinstance(lost, AnswerLostError) else self._retry
        answer: Answer = await retry.call_with_retry(ask, _try_again)
        return answer

    async def _ask_all(self, commands: Sequence[_Command]) -> Sequence[Any]:
        asked = [self._shared.ask(*args) for args, _ in commands]
        found = await asyncio.gather(*asked, return_exceptions=True)
        for answer in found:
            if isinstance(answer, BaseException) and not isinstance(answer, ResponseError):
                raise answer
        return found

    async def _read(self, command: _Command, answer: Any) -> Any:  # noqa: ANN401 - redis-py's own
        """Make of the server's answer what redis-py does."""
        args, options = command
        read = self.response_callbacks.get(args[0])
        if read is None:
            return answer
        known = {name: value for name, value in options.items() if name not in ("keys", EMPTY_RESPONSE)}
        made = read(answer, **known)
        return await made if inspect.isawaitable(made) else made


class _TurnPipeline(Pipeline):
    """Commands that go out in one turn; with scripts or a command that waits, on a connection of their own."""

    def __init__(self, client: TurnClient) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction=False, shard_hint=None)
        self._client = client

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 - redis-py's own
        """Send what was put in, and give the answers."""
        commands: Sequence[Any] = self.command_stack
        if self.scripts or any(args[0] in _ALONE for args, _ in commands):
            return await super().execute(raise_on_error)
        try:
            answers = list(await self._client.ask_all(commands))
            if raise_on_error:
                self.raise_first_error(self.command_stack, answers)
            return answers
        finally:
            await self.reset()  # type: ignore[no-untyped-call] # likewise


async def _try_again(_error: Exception) -> None:
    """Do nothing between: the connection knows that it is of no use any more."""
