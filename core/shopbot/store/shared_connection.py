"""One connection to the store that many use at once: commands go out as they come, answers come back in their order."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import hiredis
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import TimeoutError as StoreTimeoutError
from redis.utils import str_if_bytes

ANSWER_TIME_LIMIT_SECONDS = 10.0
"""A server that has not answered by then may never do so."""

_Unsent = tuple[Sequence[bytes], asyncio.Future[Any]]


class AnswerLostError(StoreConnectionError):
    """A command was sent, and its answer never came: it may have run."""


class SharedConnection:
    """A connection of a pool's kind, outside of the pool; connected when something is asked, and again after a loss.

    redis-py lends a connection to one command, or one pipeline, at a time, which takes 0.1 to 0.2 ms of processor time
    for each, a multiple of what the command itself takes. Here a command costs its packing and a future.
    """

    def __init__(self, pool: ConnectionPool, *, time_limit_seconds: float = ANSWER_TIME_LIMIT_SECONDS) -> None:
        """Prepare; the first command connects.

        pool: says how to connect.
        time_limit_seconds: with an answer that takes longer the connection counts as lost.
        """
        self._pool = pool
        self._time_limit_seconds = time_limit_seconds
        self._encode: Callable[[Any], bytes] = pool.get_encoder().encode  # type: ignore[no-untyped-call] # redis-py's
        self._unsent: list[_Unsent] = []
        self._connection: AbstractConnection | None = None
        self._answers: _Answers | None = None
        self._connecting: asyncio.Task[None] | None = None

    def ask(self, *command: Any) -> asyncio.Future[Any]:  # noqa: ANN401 - redis-py's own
        """Send a command with the others of this turn of the event loop; gives the server's answer as it is.

        Cancelling the wait does not take the command back.

        Raises:
            DataError: an argument is neither text, bytes nor a number.
        Raises (from the future):
            ResponseError: the server's answer is an error.
            AnswerLostError: there is no answer; whether the command ran is not known.
            TimeoutError (redis-py's): likewise, after the time limit.
            ConnectionError (redis-py's): the store could not be reached; the command did not run.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        packed = _packed(command, self._encode)
        if not self._unsent:
            loop.call_soon(self._send)
        self._unsent.append((packed, answer))
        return answer

    async def close(self) -> None:
        """Wait for the answers that are under way, then close the connection; a later command connects anew."""
        if self._unsent:
            self._send()
        if self._connecting is not None:
            await asyncio.wait([self._connecting])
        if self._answers is not None:
            await self._answers.all_come()
        await self._disconnect()

    def _send(self) -> None:
        if self._connecting is not None or not self._unsent:
            return
        if self._answers is None or self._answers.lost:
            self._connecting = asyncio.create_task(self._connect(), name="store-connection")
            return
        unsent, self._unsent = self._unsent, []
        self._answers.to([packed for packed, _ in unsent], [answer for _, answer in unsent])

    async def _connect(self) -> None:
        try:
            await self._disconnect()
            connection = self._connection = self._pool.make_connection()  # type: ignore[no-untyped-call] # likewise
            # Whoever asked tries again, with pauses between; connecting must not have its own inside them.
            connection.retry = Retry(NoBackoff(), retries=0)
            await connection.connect()
            self._answers = _Answers.take_over(connection, self._time_limit_seconds)
        except BaseException as error:
            unsent, self._unsent = self._unsent, []
            _fail([answer for _, answer in unsent], error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._connecting = None
        self._send()

    async def _disconnect(self) -> None:
        connection, self._connection, self._answers = self._connection, None, None
        if connection is not None:
            # Without waiting for redis-py's own protocol to hear of it, which another one has replaced.
            await connection.disconnect(nowait=True)


class _Answers(asyncio.Protocol):
    """Reads what the server answers on an open connection, and hands it to those who wait, in their order."""

    def __init__(
        self, transport: asyncio.WriteTransport, error: Callable[[str], Exception], time_limit_seconds: float
    ) -> None:
        """Read from *transport*; *error* makes an exception of the text of one."""
        self._transport = transport
        self._time_limit_seconds = time_limit_seconds
        self._reader = hiredis.Reader(replyError=error, notEnoughData=self)
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        """Who waits for an answer, and until when by the loop's clock."""
        self._watch: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @classmethod
    def take_over(cls, connection: AbstractConnection, time_limit_seconds: float) -> "_Answers":
        """Go on with a connection that redis-py has opened, TLS and password and all.

        Raises:
            ConnectionError (redis-py's): it is closed already.
        """
        writer = connection._writer  # noqa: SLF001 - redis-py gives no other way to the transport of its connection
        if writer is None:
            raise StoreConnectionError("the connection was lost as soon as it was made")
        make_error = connection._parser.parse_error  # noqa: SLF001 - what makes redis-py's own errors
        answers = cls(writer.transport, make_error, time_limit_seconds)
        writer.transport.set_protocol(answers)
        return answers

    @property
    def lost(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport.is_closing()

    def to(self, commands: Iterable[Sequence[bytes]], answers: Iterable[asyncio.Future[Any]]) -> None:
        """Send commands, and hand out their answers when they have come."""
        until = self._loop.time() + self._time_limit_seconds
        self._waiting.extend((answer, until) for answer in answers)
        self._transport.writelines([part for packed in commands for part in packed])
        if self._watch is None:
            self._watch = self._loop.call_at(until, self._look)

    async def all_come(self) -> None:
        """Wait until nobody waits any more."""
        waiting = [answer for answer, _ in self._waiting if not answer.done()]
        if waiting:
            await asyncio.wait(waiting)

    def data_received(self, data: bytes) -> None:
        """Take in what the server sent."""
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not self:
                if not isinstance(answer, hiredis.PushNotification):  # which is no answer to anybody
                    self._hand_out(answer)
        except (hiredis.ProtocolError, IndexError):
            # Nobody can tell any more which answer belongs to whom.
            self._give_up(AnswerLostError("the store answers what was not asked"))

    def connection_lost(self, error: Exception | None) -> None:
        """Tell all who wait."""
        self._give_up(AnswerLostError(f"the connection was lost: {error or 'closed by the store'}"))

    def _hand_out(self, answer: Any) -> None:  # noqa: ANN401 - any answer of the server
        asked, _ = self._waiting.popleft()
        if asked.done():
            return  # whoever asked has left
        if isinstance(answer, Exception):
            asked.set_exception(answer)
        else:
            asked.set_result(answer)

    def _look(self) -> None:
        """See whether the one who has waited longest has waited too long."""
        self._watch = None
        if not self._waiting:
            return
        _, until = self._waiting[0]
        if self._loop.time() < until:
            self._watch = self._loop.call_at(until, self._look)
        else:
            self._give_up(StoreTimeoutError(f"the store has not answered in {self._time_limit_seconds:g} s"))

    def _give_up(self, error: Exception) -> None:
        self._transport.abort()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        waiting = [answer for answer, _ in self._waiting]
        self._waiting.clear()
        _fail(waiting, error)


_LARGE_BYTES = 1024


def _packed(command: Sequence[Any], encode: Callable[[Any], bytes]) -> Sequence[bytes]:
    """Write a command as the server reads it (https://valkey.io/topics/protocol/#arrays).

    encode: makes bytes of what hiredis does not take.
    """
    name, *arguments = command
    # `CONFIG GET` is two words to the server.
    words = str_if_bytes(name).split()
    last = command[-1]
    if type(last) is not bytes or len(last) <= _LARGE_BYTES:
        try:
            return (hiredis.pack_command((*words, *arguments)),)
        except TypeError:
            pass  # an argument of another type, or of none that can be sent
    # An event with its body, or several: bodies are not copied into one piece, which for hundreds of kilobytes takes
    # its time; all that lies between two of them is one.
    parts: list[bytes] = []
    between = [b"*%d\r\n" % (len(words) + len(arguments))]
    for word in (*words, *arguments):
        packed = word if type(word) is bytes else encode(word)
        between.append(b"$%d\r\n" % len(packed))
        if len(packed) > _LARGE_BYTES:
            parts += (b"".join(between), packed)
            between = [b"\r\n"]
        else:
            between += (packed, b"\r\n")
    parts.append(b"".join(between))
    return parts


def _fail(answers: Iterable[asyncio.Future[Any]], error: BaseException) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(_copy(error))


def _copy(error: BaseException) -> BaseException:
    """Give each command an error of its own: an exception that is raised in many places collects all their frames."""
    if isinstance(error, asyncio.CancelledError):
        return StoreConnectionError("the store's client was closed")
    make: Callable[..., BaseException] = type(error)
    try:
        return make(*error.args)
    except TypeError:
        return error
