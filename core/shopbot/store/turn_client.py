"""A client whose commands share round trips: what is asked for in one turn of the event loop goes out together."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis

MOST_COMMANDS = 128
"""A round trip carries no more, so that no answer waits for too many others."""

_ALONE = frozenset({"XREADGROUP", "XREAD", "WAIT", "WAITAOF", "BLPOP", "BLMOVE"})
"""Commands that wait on the server would keep all others waiting, too."""

_Waiting = tuple[tuple[Any, ...], dict[str, Any], asyncio.Future[Any]]


class TurnClient(Redis):
    """A Redis client like any other, but for its round trips.

    redis-py takes about 0.2 ms of processor time for a command on its own and a third of that for one among others, and
    a server that syncs its log before it answers does so once for all that arrived together. Each command has its own
    answer or error; commands that lost their answers are sent again together, which all of them must bear anyway.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - redis-py's own
        super().__init__(*args, **kwargs)
        self._waiting: list[_Waiting] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - redis-py's own
        """Send a command with the others of this turn, and give its answer."""
        if str(args[0]).partition(" ")[0] in _ALONE:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call] # redis-py's
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._send_waiting)
        self._waiting.append((args, options, answer))
        return await answer

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 - redis-py's own
        """Wait for what is under way, then close."""
        if self._waiting:
            self._send_waiting()
        if self._under_way:
            await asyncio.wait(self._under_way)
        await super().aclose(close_connection_pool)

    def _send_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MOST_COMMANDS):
            task = asyncio.create_task(self._send(waiting[start : start + MOST_COMMANDS]), name="store-commands")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _send(self, commands: Sequence[_Waiting]) -> None:
        try:
            answers = await self._answers(commands)
        except BaseException as error:
            for _, _, answer in commands:
                if not answer.done():
                    answer.set_exception(_copy(error))
            if not isinstance(error, Exception):
                raise
            return
        for (_, _, answer), given in zip(commands, answers, strict=True):
            if answer.done():
                continue  # whoever asked has left
            if isinstance(given, Exception):
                answer.set_exception(given)
            else:
                answer.set_result(given)

    async def _answers(self, commands: Sequence[_Waiting]) -> Sequence[Any]:
        if len(commands) == 1:
            args, options, _ = commands[0]
            return [await super().execute_command(*args, **options)]  # type: ignore[no-untyped-call] # likewise
        async with self.pipeline(transaction=False) as pipeline:
            for args, options, _ in commands:
                pipeline.pipeline_execute_command(*args, **options)  # type: ignore[no-untyped-call] # likewise
            answers: Sequence[Any] = await pipeline.execute(raise_on_error=False)
            return answers


def _copy(error: BaseException) -> BaseException:
    """Give each command an error of its own: an exception that is raised in many places collects all their frames."""
    if isinstance(error, asyncio.CancelledError):
        return ConnectionError("the store's client was closed")
    make: Callable[..., BaseException] = type(error)
    try:
        return make(*error.args)
    except TypeError:
        return error
