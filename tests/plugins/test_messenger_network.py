"""What the sender makes of faults on the way, and of answers that explain nothing."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable

import pytest

from shopbot.plugin import ChannelDown, InDoubt, Refused, Retry
from shopbot.testing.contracts import a_message
from shopbot.testing.messenger import Fault, MessengerSimulator
from support.eventually import eventually
from support.messenger_sender import running_sender
from support.raw_server import raw_server


class TestTheNetwork:
    """Before the request is written nothing can have been sent; after that, nobody can say."""

    async def failure(self, *faults: Fault, **settings: object) -> tuple[Exception, MessengerSimulator]:
        async with running_sender(None, **settings) as (simulator, running):
            simulator.inject(*faults)
            with pytest.raises((Retry, Refused, ChannelDown, InDoubt)) as failure:
                await running.hooks.senders[0](a_message())
        return failure.value, simulator

    async def test_a_refused_connection_is_tried_again(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closing:
            port = closing.getsockname()[1]

        failure, _ = await self.failure(api_url=f"http://127.0.0.1:{port}/v25.0")

        assert isinstance(failure, Retry)
        assert not failure.pauses_channel

    async def test_a_connection_that_is_never_secured_is_tried_again(self) -> None:
        async with raw_server(lambda _: None) as server:
            failure, _ = await self.failure(api_url=server.url.replace("http:", "https:"), timeout="100ms")

        assert isinstance(failure, Retry)
        assert "ConnectTimeout" in failure.reason

    @pytest.mark.parametrize(
        ("name", "scheme"), [("https_proxy", "http://"), ("ALL_PROXY", "http://"), ("https_proxy", "")]
    )
    async def test_the_call_goes_through_the_proxy_that_the_environment_names(
        self, name: str, scheme: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with raw_server(lambda _: b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as proxy:
            monkeypatch.setenv(name, scheme + proxy.url.removeprefix("http://").removesuffix("/v25.0"))
            failure, _ = await self.failure(api_url="https://graph.example.test/v25.0")

        (request,) = proxy.requests
        assert request.startswith(b"CONNECT graph.example.test:443 ")
        assert isinstance(failure, Retry)

    async def test_an_address_that_needs_no_proxy_is_called_directly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with raw_server(lambda _: b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as server:
            await self.failure(api_url=server.url)

        assert len(server.requests) == 1

    async def test_a_server_that_does_not_speak_tls_is_tried_again(self) -> None:
        async with raw_server(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
            failure, _ = await self.failure(api_url=server.url.replace("http:", "https:"))

        assert isinstance(failure, Retry)

    async def test_without_a_free_connection_nothing_was_sent(self) -> None:
        """The only connection is held by an answer that trickles in: each piece begins the wait anew."""
        begun = asyncio.Event()

        async def trickle(write: Callable[[bytes], Awaitable[None]]) -> None:
            begun.set()
            await write(b"HTTP/1.1 200 OK\r\n")
            for number in range(1_000):
                await write(f"X-{number}: 1\r\n".encode())
                await asyncio.sleep(0.02)

        async with (
            raw_server(trickle) as server,
            running_sender(api_url=server.url, timeout="2s", connections=1) as (_, running),
        ):
            first = asyncio.create_task(running.hooks.senders[0](a_message()))
            await begun.wait()
            with pytest.raises(Retry, match="busy"):
                await running.hooks.senders[0](a_message())
            first.cancel()
            await asyncio.wait([first])

        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param(Fault.reset(), id="reset"),
            pytest.param(Fault.accept_then_drop(), id="accepted, then closed"),
            pytest.param(Fault.truncated(), id="cut off in the answer"),
            pytest.param(Fault.malformed(), id="accepted, answer unreadable"),
            pytest.param(Fault.malformed(accepted=False), id="not accepted, answer unreadable"),
            pytest.param(Fault.hang(30, accepted=True), id="accepted, no answer"),
            pytest.param(Fault.hang(30), id="not accepted, no answer"),
        ],
    )
    async def test_a_request_without_a_readable_answer_is_in_doubt(self, fault: Fault) -> None:
        """From here both sides look alike: whether the shopper has the message, only its echo can tell."""
        failure, simulator = await self.failure(fault, timeout="1s" if fault.kind == "hang" else "30s")

        assert isinstance(failure, InDoubt)
        assert len(simulator.requests) <= 1

    @pytest.mark.parametrize("accepted", [True, False])
    @pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
    async def test_a_servers_fault_without_a_graph_error_is_in_doubt(self, status: int, accepted: bool) -> None:  # noqa: FBT001 - a parameter
        failure, _ = await self.failure(Fault.http(status, accepted=accepted))

        assert isinstance(failure, InDoubt)

    @pytest.mark.parametrize(
        "answer",
        ["{}", "[]", "null", '"m_1"', '{"message_id": ""}', '{"message_id": null}', '{"message_id": 5}', ""],
    )
    async def test_a_success_without_a_message_id_is_in_doubt(self, answer: str) -> None:
        assert isinstance(await self.answered(200, answer), InDoubt)

    async def test_an_answer_that_contradicts_itself_is_in_doubt(self) -> None:
        answer = {"message_id": "m_1", "error": {"code": 2, "message": "Service temporarily unavailable"}}

        assert isinstance(await self.answered(200, json.dumps(answer)), InDoubt)
        assert isinstance(await self.answered(500, json.dumps(answer)), InDoubt)

    @pytest.mark.parametrize(
        "error", ["a text", [], {}, {"code": None}, {"code": "x"}, {"code": True}, {"message": "x"}]
    )
    async def test_an_error_without_a_code_explains_nothing(self, error: object) -> None:
        answer = json.dumps({"error": error})

        assert isinstance(await self.answered(200, answer), InDoubt)
        assert isinstance(await self.answered(500, answer), InDoubt)
        assert isinstance(await self.answered(400, answer), Refused)

    async def test_turned_away_with_a_time_to_come_back_is_tried_again_then(self) -> None:
        failure, _ = await self.failure(Fault.http(503, retry_after_seconds=17))

        assert isinstance(failure, Retry)
        assert (failure.after_seconds, failure.pauses_channel) == (17, False)

    async def test_a_request_that_never_arrived_whole_is_tried_again(self) -> None:
        failure, _ = await self.failure(Fault.http(408))

        assert isinstance(failure, Retry)

    @pytest.mark.parametrize(("stated", "wait"), [(None, 60), (5, 5)])
    async def test_too_many_requests_pause_the_page(self, stated: int | None, wait: float) -> None:
        failure, _ = await self.failure(Fault.http(429, retry_after_seconds=stated))

        assert isinstance(failure, Retry)
        assert (failure.after_seconds, failure.pauses_channel) == (wait, True)

    @pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 405, 407])
    async def test_an_answer_from_elsewhere_stops_the_channel(self, status: int) -> None:
        """A wrong api_url or a proxy: it must not turn every order into a dead letter."""
        failure, simulator = await self.failure(Fault.http(status))

        assert isinstance(failure, ChannelDown)
        assert "api_url" in failure.reason
        assert len(simulator.requests) == 1

    @pytest.mark.parametrize("status", [400, 413, 422])
    async def test_any_other_refusal_is_final(self, status: int) -> None:
        failure, _ = await self.failure(Fault.http(status))

        assert isinstance(failure, Refused)

    async def test_messages_share_connections(self) -> None:
        answer = b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"message_id":"m"}'
        async with (
            raw_server(lambda _: answer) as server,
            running_sender(api_url=server.url, connections=3) as (_, running),
        ):
            await asyncio.gather(*(running.hooks.senders[0](a_message()) for _ in range(30)))

        assert len(server.requests) == 30
        assert 1 <= server.connections <= 3

    async def test_a_send_that_is_cancelled_gives_its_connection_back(self) -> None:
        """The host cancels at its time limit."""
        async with running_sender(None, connections=1) as (simulator, running):
            simulator.inject(Fault.hang(30))
            sending = asyncio.create_task(running.hooks.senders[0](a_message()))

            async def under_way() -> bool:
                return not len(simulator.faults)

            await eventually(under_way, "the simulator has the request")
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await running.hooks.senders[0](a_message())

        assert len(simulator.sent) == 1

    async def answered(self, status: int, body: str) -> Exception:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        async with (
            raw_server(lambda _: (head + body).encode()) as server,
            running_sender(api_url=server.url) as (_, running),
        ):
            with pytest.raises((Retry, Refused, ChannelDown, InDoubt)) as failure:
                await running.hooks.senders[0](a_message())
        return failure.value
