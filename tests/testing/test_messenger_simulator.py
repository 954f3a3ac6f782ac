"""The Messenger simulator keeps Meta's rules: each one is tried over HTTP, as a bot would meet it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from sanic import Sanic

from shopbot.testing.clock import ManualClock
from shopbot.testing.messenger import AppWebhook, Fault, MessengerSimulator, Usage
from shopbot.testing.webhooks import sign_messenger
from support.webhook_receiver import WebhookReceiver

Json = Any  # whatever JSON, or a setting, can hold

PSID = "7312345678901234"
TOKEN = "test-page-token"
TEXT = {"text": "Order confirmed! 🎉"}


class Bot:
    """Calls the simulator as a bot does."""

    def __init__(self, client: httpx.AsyncClient, page: str = "me") -> None:
        self.client = client
        self.page = page

    async def post(self, body: Json, **options: Json) -> httpx.Response:
        return await self.client.post(f"/v25.0/{self.page}/messages", json=body, **options)

    async def send(
        self, message: dict[str, Any] | None = None, *, psid: str = PSID, kind: str = "UPDATE", **fields: Json
    ) -> httpx.Response:
        body = {"recipient": {"id": psid}, "messaging_type": kind, "message": message or TEXT, **fields}
        return await self.post(body)


@asynccontextmanager
async def simulated(**options: Json) -> AsyncIterator[tuple[MessengerSimulator, Bot]]:
    simulator = MessengerSimulator(**options)
    async with (
        simulator.serve() as address,
        httpx.AsyncClient(
            base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30.0, trust_env=False
        ) as client,
    ):
        yield simulator, Bot(client)


def error_of(response: httpx.Response) -> tuple[int, int | None]:
    error = response.json()["error"]
    assert error["fbtrace_id"]
    return error["code"], error.get("error_subcode")


class TestAccess:
    async def test_a_valid_message_is_accepted_and_kept(self) -> None:
        async with simulated(page_id="42") as (simulator, bot):
            bot.page = "42"
            response = await bot.send({"text": "Hi", "metadata": "shopbot:order:1"})

        assert response.status_code == 200
        sent = simulator.sent[0]
        assert response.json() == {"recipient_id": PSID, "message_id": sent.message_id}
        assert (sent.psid, sent.text, sent.metadata, sent.messaging_type) == (
            PSID,
            "Hi",
            "shopbot:order:1",
            "UPDATE",
        )
        assert sent.raw["message"] == {"text": "Hi", "metadata": "shopbot:order:1"}
        assert simulator.requests[0].outcome == "accepted"

    async def test_every_message_has_its_own_id(self) -> None:
        async with simulated() as (simulator, bot):
            for _ in range(3):
                await bot.send()

        assert len({message.message_id for message in simulator.sent}) == 3

    async def test_a_wrong_token_is_190(self) -> None:
        async with simulated() as (simulator, bot):
            bot.client.headers["Authorization"] = "Bearer other"
            response = await bot.send()

        assert error_of(response) == (190, None)
        assert simulator.sent == []

    async def test_a_missing_token_is_104(self) -> None:
        async with simulated() as (_, bot):
            del bot.client.headers["Authorization"]
            assert error_of(await bot.send()) == (104, None)

    @pytest.mark.parametrize("place", ["query", "body"])
    async def test_the_token_may_be_a_parameter(self, place: str) -> None:
        async with simulated() as (simulator, bot):
            del bot.client.headers["Authorization"]
            body = {"recipient": {"id": PSID}, "messaging_type": "UPDATE", "message": TEXT}
            token = {"access_token": TOKEN}
            response = await (bot.post(body, params=token) if place == "query" else bot.post(body | token))

        assert response.status_code == 200
        assert "access_token" not in simulator.sent[0].raw

    async def test_a_revoked_token_fails_until_a_token_is_accepted_again(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.tokens.revoke()
            assert error_of(await bot.send()) == (190, 460)
            simulator.tokens.accept(TOKEN)
            assert (await bot.send()).status_code == 200

    async def test_a_required_proof_must_be_there_and_right(self) -> None:
        proof = hmac.new(b"app-secret", TOKEN.encode(), hashlib.sha256).hexdigest()
        async with simulated(app_secret="app-secret", require_appsecret_proof=True) as (_, bot):
            missing = await bot.send()
            wrong = await bot.send(appsecret_proof=proof[:-1] + "x")
            in_body = await bot.send(appsecret_proof=proof)
            in_query = await bot.post(
                {"recipient": {"id": PSID}, "messaging_type": "UPDATE", "message": TEXT},
                params={"appsecret_proof": proof},
            )

        assert error_of(missing) == (100, None)
        assert "requires" not in missing.text
        assert "appsecret_proof" in missing.json()["error"]["message"]
        assert "Invalid appsecret_proof" in wrong.json()["error"]["message"]
        assert (in_body.status_code, in_query.status_code) == (200, 200)

    async def test_a_proof_that_is_not_required_is_checked_all_the_same(self) -> None:
        async with simulated() as (_, bot):
            assert error_of(await bot.send(appsecret_proof="00")) == (100, None)

    async def test_the_page_of_another_token_is_not_found(self) -> None:
        async with simulated() as (_, bot):
            bot.page = "999"
            assert error_of(await bot.send()) == (100, 33)

    async def test_an_unknown_path_is_a_graph_error(self) -> None:
        async with simulated() as (_, bot):
            assert error_of(await bot.client.post("/messages")) == (2500, None)

    async def test_the_page_can_be_asked_for_with_a_good_token_only(self) -> None:
        async with simulated(page_id="42") as (_, bot):
            good = await bot.client.get("/v25.0/me")
            bad = await bot.client.get("/v25.0/me", headers={"Authorization": "Bearer x"})

        assert good.json()["id"] == "42"
        assert error_of(bad) == (190, None)

    async def test_webhook_fields_are_subscribed(self) -> None:
        async with simulated() as (simulator, bot):
            fields = {"subscribed_fields": "messages,message_echoes"}
            made = await bot.client.post("/v25.0/me/subscribed_apps", params=fields)
            without = await bot.client.post("/v25.0/me/subscribed_apps")
            listed = await bot.client.get("/v25.0/me/subscribed_apps")

        assert made.json() == {"success": True}
        assert error_of(without) == (100, None)
        assert simulator.subscribed_fields == {"messages", "message_echoes"}
        assert listed.json()["data"][0]["subscribed_fields"] == ["message_echoes", "messages"]


class TestTheApp:
    """What an operator sets up in Meta's dashboards, and can ask for."""

    async def test_a_permission_that_is_taken_away_is_missed_where_it_is_needed(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.tokens.permissions.clear()
            sent = await bot.send()
            fields = await bot.client.get("/v25.0/me/subscribed_apps")
            templates = await bot.client.get("/v25.0/me/message_templates")
            page = await bot.client.get("/v25.0/me")

        assert [error_of(answer) for answer in (sent, fields, templates)] == [(10, None), (200, None), (200, None)]
        assert page.status_code == 200

    async def test_a_token_can_look_at_itself_also_in_a_batch_that_keeps_it_out_of_the_address(self) -> None:
        async with simulated() as (simulator, bot):
            plain = await bot.client.get("/v25.0/debug_token", params={"input_token": TOKEN})
            batch = [{"method": "GET", "relative_url": f"debug_token?input_token={TOKEN}"}]
            batched = await bot.client.post("/v25.0/", data={"access_token": TOKEN, "batch": json.dumps(batch)})

        facts = plain.json()["data"]
        assert (facts["type"], facts["is_valid"], facts["expires_at"]) == ("PAGE", True, 0)
        assert set(facts["scopes"]) == simulator.tokens.permissions
        assert [(one["code"], json.loads(one["body"])["data"]) for one in batched.json()] == [(200, facts)]

    async def test_a_revoked_token_is_told_to_be_invalid(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.tokens.revoke()
            simulator.tokens.accept("another-token")
            headers = {"Authorization": "Bearer another-token"}
            answer = await bot.client.get("/v25.0/debug_token", params={"input_token": TOKEN}, headers=headers)

        facts = answer.json()["data"]
        assert (facts["is_valid"], facts["error"]["code"], facts["error"]["subcode"]) == (False, 190, 460)

    @pytest.mark.parametrize("batch", ["", "{}", "[]", "no json"])
    async def test_a_batch_of_the_wrong_shape_is_refused(self, batch: str) -> None:
        async with simulated() as (_, bot):
            answer = await bot.client.post("/v25.0/", data={"access_token": TOKEN, "batch": batch})

        assert error_of(answer) == (100, None)

    async def test_in_a_batch_other_calls_are_refused_one_by_one(self) -> None:
        batch = [{"method": "GET", "relative_url": "me"}, {"method": "GET", "relative_url": "debug_token"}]
        async with simulated() as (_, bot):
            answer = await bot.client.post("/v25.0/", data={"batch": json.dumps(batch)})

        assert [one["code"] for one in answer.json()] == [400, 400]

    async def test_the_apps_webhook_is_told_to_the_apps_own_token_only(self) -> None:
        async with simulated(app_id=42) as (simulator, bot):
            app = {"Authorization": "Bearer 42|test-app-secret"}
            none = await bot.client.get("/v25.0/42/subscriptions", headers=app)
            simulator.app_webhook = AppWebhook("https://bot.example/messenger", frozenset({"messages"}))
            listed = await bot.client.get("/v25.0/42/subscriptions", headers=app)
            refused = await bot.client.get("/v25.0/42/subscriptions")

        assert none.json() == {"data": []}
        assert listed.json()["data"] == [
            {
                "object": "page",
                "callback_url": "https://bot.example/messenger",
                "active": True,
                "fields": [{"name": "messages", "version": "v25.0"}],
            }
        ]
        assert error_of(refused) == (190, None)

    async def test_a_version_that_has_ended_is_answered_by_the_oldest(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.oldest_version = "v22.0"
            versions = [
                (await bot.client.get(f"/{version}/me")).headers["facebook-api-version"]
                for version in ("v9.0", "v22.0", "v25.0")
            ]

        assert versions == ["v22.0", "v22.0", "v25.0"]

    async def test_answers_carry_the_time_of_metas_clock(self) -> None:
        async with simulated(clock_skew_seconds=7200.0) as (_, bot):
            date = parsedate_to_datetime((await bot.client.get("/v25.0/me")).headers["Date"])

        assert timedelta(hours=1) < date - datetime.now(UTC) < timedelta(hours=3)


class TestShapes:
    @pytest.mark.parametrize(
        "body",
        [
            [],
            {},
            {"messaging_type": "UPDATE", "message": TEXT},
            {"recipient": "7312345678901234", "messaging_type": "UPDATE", "message": TEXT},
            {"recipient": {"id": 7312345678901234}, "messaging_type": "UPDATE", "message": TEXT},
            {"recipient": {"id": PSID, "user_ref": "x"}, "messaging_type": "UPDATE", "message": TEXT},
            {"recipient": {"phone_number": "1"}, "messaging_type": "UPDATE", "message": TEXT},
            {"recipient": {"id": PSID}, "message": TEXT},
            {"recipient": {"id": PSID}, "messaging_type": "REPLY", "message": TEXT},
            {"recipient": {"id": PSID}, "messaging_type": "UPDATE"},
            {"recipient": {"id": PSID}, "messaging_type": "UPDATE", "message": "hi"},
            {"recipient": {"id": PSID}, "messaging_type": "UPDATE", "message": {}},
            {"recipient": {"id": PSID}, "messaging_type": "UPDATE", "message": {"text": ""}},
            {"recipient": {"id": PSID}, "messaging_type": "UPDATE", "message": {"text": 5}},
            {"recipient": {"id": PSID}, "messaging_type": "UPDATE", "message": {"txt": "hi"}},
            {"recipient": {"id": PSID}, "messaging_type": "UPDATE", "message": {**TEXT, "attachment": {}}},
            {"recipient": {"id": PSID}, "messaging_type": "MESSAGE_TAG", "message": TEXT},
            {"recipient": {"id": PSID}, "messaging_type": "MESSAGE_TAG", "tag": "X", "message": TEXT},
            {
                "recipient": {"id": PSID},
                "messaging_type": "UPDATE",
                "notification_type": "LOUD",
                "message": TEXT,
            },
        ],
    )
    async def test_a_wrong_shape_is_100_and_delivers_nothing(self, body: Json) -> None:
        async with simulated() as (simulator, bot):
            assert error_of(await bot.post(body))[0] == 100
            assert simulator.sent == []
            assert simulator.requests[0].outcome == "rejected"

    async def test_a_body_that_is_not_json_is_100(self) -> None:
        async with simulated() as (_, bot):
            response = await bot.client.post("/v25.0/me/messages", content=b"{nope")
            assert error_of(response) == (100, None)

    async def test_an_id_that_is_not_digits_is_100(self) -> None:
        async with simulated() as (_, bot):
            assert error_of(await bot.send(psid="ada"))[0] == 100

    @pytest.mark.parametrize(("length", "status"), [(1999, 200), (2000, 400)])
    async def test_text_must_be_shorter_than_2000_characters(self, length: int, status: int) -> None:
        async with simulated() as (_, bot):
            assert (await bot.send({"text": "ä" * length})).status_code == status

    @pytest.mark.parametrize(("length", "status"), [(999, 200), (1000, 400)])
    async def test_metadata_must_be_shorter_than_1000_characters(self, length: int, status: int) -> None:
        async with simulated() as (_, bot):
            assert (await bot.send({"text": "Hi", "metadata": "m" * length})).status_code == status

    async def test_a_sender_action_goes_alone_and_is_no_message(self) -> None:
        async with simulated() as (simulator, bot):
            recipient = {"recipient": {"id": PSID}}
            alone = await bot.post({**recipient, "sender_action": "typing_on"})
            together = await bot.post({**recipient, "sender_action": "typing_on", "message": TEXT})
            unknown = await bot.post({**recipient, "sender_action": "dance"})

        assert alone.json() == {"recipient_id": PSID}
        assert error_of(together) == error_of(unknown) == (100, None)
        assert simulator.sent == []

    async def test_a_user_ref_is_answered_without_recipient_id(self) -> None:
        async with simulated(window="closed") as (simulator, bot):
            body = {"recipient": {"user_ref": "box-1"}, "messaging_type": "UPDATE", "message": TEXT}
            response = await bot.post(body)

        assert response.json() == {"message_id": simulator.sent[0].message_id}

    @pytest.mark.parametrize(
        ("replies", "status"),
        [
            ([{"content_type": "text", "title": "t" * 20, "payload": "p" * 1000}] * 13, 200),
            ([{"content_type": "user_email"}], 200),
            ([{"content_type": "text", "title": "T", "payload": "P"}] * 14, 400),
            ([{"content_type": "text", "title": "t" * 21, "payload": "P"}], 400),
            ([{"content_type": "text", "title": "T", "payload": "p" * 1001}], 400),
            ([{"content_type": "text", "title": "T"}], 400),
            ([{"content_type": "location"}], 400),
            (["Yes"], 400),
            ([], 400),
        ],
    )
    async def test_quick_replies_have_limits(self, replies: list[Any], status: int) -> None:
        async with simulated() as (_, bot):
            assert (await bot.send({"text": "?", "quick_replies": replies})).status_code == status

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({}, 200),
            ({"text": "x" * 641}, 400),
            ({"text": ""}, 400),
            ({"buttons": []}, 400),
            ({"buttons": [{"type": "postback", "title": "T", "payload": "P"}] * 3}, 200),
            ({"buttons": [{"type": "postback", "title": "T", "payload": "P"}] * 4}, 400),
            ({"buttons": [{"type": "postback", "title": "t" * 21, "payload": "P"}]}, 400),
            ({"buttons": [{"type": "web_url", "title": "T", "url": "shop.example"}]}, 400),
            ({"buttons": [{"type": "dance", "title": "T"}]}, 400),
            ({"template_type": "utility_messages"}, 400),
        ],
    )
    async def test_button_templates_have_limits(self, changes: dict[str, Any], status: int) -> None:
        button = {"type": "web_url", "title": "Track", "url": "https://shop.example/o/1"}
        payload = {"template_type": "button", "text": "Order #1", "buttons": [button], **changes}
        async with simulated() as (simulator, bot):
            response = await bot.send({"attachment": {"type": "template", "payload": payload}})
            assert response.status_code == status
            assert simulator.sent_count == (status == 200)

    @pytest.mark.parametrize(
        ("elements", "status"),
        [
            ([{"title": "Mug"}] * 10, 200),
            ([{"title": "Mug"}] * 11, 400),
            ([], 400),
            ([{"title": "t" * 81}], 400),
            ([{"title": "Mug", "subtitle": "s" * 81}], 400),
            ([{"title": "Mug", "buttons": [{"type": "postback", "title": "T", "payload": "P"}] * 4}], 400),
        ],
    )
    async def test_generic_templates_have_limits(self, elements: list[Any], status: int) -> None:
        payload = {"template_type": "generic", "elements": elements}
        async with simulated() as (_, bot):
            response = await bot.send({"attachment": {"type": "template", "payload": payload}})
            assert response.status_code == status

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({}, 200),
            ({"recipient_name": None}, 400),
            ({"currency": ""}, 400),
            ({"summary": {"subtotal": 1}}, 400),
            ({"timestamp": 1795392000}, 400),
            ({"elements": [{"title": "Mug", "price": 1.5}] * 100}, 200),
            ({"elements": [{"title": "Mug", "price": 1.5}] * 101}, 400),
            ({"elements": [{"title": "Mug"}]}, 400),
        ],
    )
    async def test_receipts_have_limits(self, changes: dict[str, Any], status: int) -> None:
        async with simulated() as (_, bot):
            assert (await bot.send(receipt(**changes))).status_code == status

    async def test_the_order_number_of_a_receipt_is_unique(self) -> None:
        async with simulated() as (_, bot):
            assert (await bot.send(receipt())).status_code == 200
            assert error_of(await bot.send(receipt())) == (100, None)
            assert (await bot.send(receipt(order_number="1002"))).status_code == 200

    async def test_media_need_a_source(self) -> None:
        async with simulated() as (_, bot):
            good = {"type": "image", "payload": {"url": "https://shop.example/a.png"}}
            assert (await bot.send({"attachment": good})).status_code == 200
            assert error_of(await bot.send({"attachment": {"type": "image", "payload": {}}})) == (100, 2018047)
            assert error_of(await bot.send({"attachment": {"type": "gif", "payload": {}}})) == (100, None)


def receipt(**changes: Json) -> dict[str, Any]:
    payload = {
        "template_type": "receipt",
        "recipient_name": "Ada L.",
        "order_number": "1001",
        "currency": "EUR",
        "payment_method": "Visa 4242",
        "timestamp": "1795392000",
        "summary": {"total_cost": 42.5},
        "elements": [{"title": "Mug", "price": 19.25}],
        **changes,
    }
    return {"attachment": {"type": "template", "payload": payload}}


class TestPeopleAndWindow:
    async def test_an_unknown_person_is_not_found_until_they_write(self) -> None:
        async with simulated(known_psids={"1"}) as (simulator, bot):
            assert error_of(await bot.send()) == (100, 2018001)
            assert (await bot.send(psid="1")).status_code == 200
            await simulator.say(PSID, "hello")
            assert (await bot.send()).status_code == 200

    async def test_someone_who_blocked_the_page_is_unavailable(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.block(PSID)
            assert error_of(await bot.send()) == (551, 1545041)
            simulator.unblock(PSID)
            assert (await bot.send()).status_code == 200

    @pytest.mark.parametrize("tag", ["POST_PURCHASE_UPDATE", "CONFIRMED_EVENT_UPDATE", "ACCOUNT_UPDATE"])
    async def test_a_dead_tag_fails_inside_the_window_too(self, tag: str) -> None:
        async with simulated() as (simulator, bot):
            await simulator.say(PSID, "hello")
            assert error_of(await bot.send(kind="MESSAGE_TAG", tag=tag)) == (100, 1893061)
            assert simulator.sent == []

    async def test_the_window_closes_after_24_hours_and_opens_with_a_message(self) -> None:
        clock = ManualClock()
        async with simulated(clock=clock) as (simulator, bot):
            await simulator.say(PSID, "hello")
            clock.advance(24 * 3600 - 1)
            inside = await bot.send()
            clock.advance(1)
            outside = await bot.send(kind="RESPONSE")
            await simulator.say(PSID, "still there?")
            again = await bot.send()

        assert (inside.status_code, again.status_code) == (200, 200)
        assert error_of(outside) == (10, 2018278)

    @pytest.mark.parametrize(("policy", "status"), [("open", 200), ("closed", 403)])
    async def test_whether_strangers_are_inside_the_window_is_a_setting(self, policy: Json, status: int) -> None:
        async with simulated(window=policy) as (_, bot):
            assert (await bot.send()).status_code == status

    async def test_a_receipt_outside_the_window_fails_like_text(self) -> None:
        async with simulated(window="closed") as (_, bot):
            assert error_of(await bot.send(receipt())) == (10, 2018278)

    async def test_a_human_agent_has_seven_days(self) -> None:
        clock = ManualClock()
        async with simulated(clock=clock) as (simulator, bot):
            await simulator.say(PSID, "help")
            clock.advance(7 * 24 * 3600 - 1)
            assert (await bot.send(kind="MESSAGE_TAG", tag="HUMAN_AGENT")).status_code == 200
            clock.advance(1)
            assert error_of(await bot.send(kind="MESSAGE_TAG", tag="HUMAN_AGENT")) == (10, 2018278)

    @pytest.mark.parametrize(
        ("act", "opens"),
        [
            ("say", True),
            ("tap", True),
            ("postback", True),
            ("referral", True),
            ("sticker", True),
            ("attachment", True),
            ("react", True),
            ("standby", True),
            ("optin", False),
            ("read", False),
            ("delivery", False),
        ],
    )
    async def test_only_what_the_shopper_does_opens_the_window(self, act: str, *, opens: bool) -> None:
        arguments = {
            "say": ["hello"],
            "tap": ["YES"],
            "postback": ["START"],
            "referral": ["token"],
            "attachment": ["image", "https://cdn.example/a.png"],
            "react": ["m_1"],
            "standby": ["hello"],
        }
        async with simulated(window="closed") as (simulator, bot):
            await getattr(simulator, act)(PSID, *arguments.get(act, []))
            assert (await bot.send()).status_code == (200 if opens else 403)

    async def test_messages_of_the_page_do_not_open_the_window(self) -> None:
        clock = ManualClock()
        async with simulated(clock=clock) as (simulator, bot):
            await simulator.say(PSID, "hello")
            clock.advance(23 * 3600)
            await bot.send()
            clock.advance(2 * 3600)
            assert error_of(await bot.send()) == (10, 2018278)


def utility(*parameters: str, **changes: Json) -> dict[str, Any]:
    body = {"type": "body", "parameters": [{"type": "text", "text": text} for text in parameters]}
    template = {
        "name": "order_confirmation",
        "language": {"code": "en_US"},
        "components": [body] if parameters else [],
        **changes,
    }
    return {"template": template}


BODY = "Hi {{1}}, order {{2}} is confirmed."


class TestUtilityMessages:
    async def test_an_approved_template_reaches_people_outside_the_window(self) -> None:
        async with simulated(window="closed") as (simulator, bot):
            simulator.templates.add("order_confirmation", BODY, header="Order {{1}}")
            components = [
                {"type": "header", "parameters": [{"type": "text", "text": "#1234"}]},
                *utility("Ada", "#1234")["template"]["components"],
            ]
            response = await bot.send(utility(components=components), kind="UTILITY")

        assert response.status_code == 200
        assert simulator.sent[0].text == "Order #1234\nHi Ada, order #1234 is confirmed."
        assert simulator.sent[0].template == utility(components=components)["template"]

    @pytest.mark.parametrize(
        "message",
        [
            pytest.param(utility("Ada"), id="too few parameters"),
            pytest.param(utility("Ada", "#1", "x"), id="too many parameters"),
            pytest.param(utility(), id="no parameters"),
            pytest.param(utility("Ada", "#1", name="other"), id="unknown name"),
            pytest.param(utility("Ada", "#1", language={"code": "en_GB"}), id="no fallback of language"),
            pytest.param(utility("Ada", "#1", language="en_US"), id="language is an object"),
            pytest.param(utility("Ada", "#1", template_type="utility"), id="template_type does not belong"),
            pytest.param(
                utility(components=[{"type": "body", "index": 0, "parameters": [{"type": "text", "text": "x"}]}]),
                id="index is WhatsApp's",
            ),
            pytest.param(
                utility(components=[{"type": "body", "parameters": [{"type": "text", "text": 1}] * 2}]),
                id="text is a string",
            ),
            pytest.param(
                utility(
                    components=[
                        *utility("Ada", "#1")["template"]["components"],
                        {"type": "header", "parameters": [{"type": "text", "text": "x"}]},
                    ]
                ),
                id="a header that the template has not",
            ),
            pytest.param(
                utility(
                    components=[
                        {
                            "type": "body",
                            "parameters": [
                                {"type": "text", "text": "x", "parameter_name": "a"},
                                {"type": "text", "text": "x", "parameter_name": "b"},
                            ],
                        }
                    ]
                ),
                id="names in a positional template",
            ),
        ],
    )
    async def test_what_does_not_fit_the_template_is_100_with_the_reason(self, message: dict[str, Any]) -> None:
        async with simulated() as (simulator, bot):
            simulator.templates.add("order_confirmation", BODY)
            response = await bot.send(message, kind="UTILITY")

        assert error_of(response) == (100, None)
        assert response.json()["error"]["message"] == "Invalid parameter"
        assert response.json()["error"]["error_user_msg"]
        assert simulator.sent == []

    async def test_a_wrapped_template_is_an_invalid_template_type(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.templates.add("order_confirmation", BODY)
            wrapped = {"type": "template", "payload": utility("Ada", "#1")["template"]}
            response = await bot.send({"attachment": wrapped}, kind="UTILITY")

        assert error_of(response) == (100, None)
        assert "Invalid template type" in response.json()["error"]["message"]

    async def test_a_template_needs_the_type_utility_and_the_type_needs_a_template(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.templates.add("order_confirmation", BODY)
            assert error_of(await bot.send(utility("Ada", "#1"), kind="UPDATE")) == (100, None)
            assert error_of(await bot.send(TEXT, kind="UTILITY")) == (100, None)
            top_level = await bot.send(TEXT, template=utility("Ada", "#1")["template"])
            assert error_of(top_level) == (100, None)

    @pytest.mark.parametrize("status", ["PENDING", "REJECTED"])
    async def test_a_template_that_is_not_approved_cannot_be_sent(self, status: Json) -> None:
        async with simulated() as (simulator, bot):
            simulator.templates.add("order_confirmation", BODY, status=status)
            assert error_of(await bot.send(utility("Ada", "#1"), kind="UTILITY")) == (100, None)

    async def test_named_parameters_are_matched_by_name(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.templates.add("order_confirmation", "Hi {{name}}, order {{order}} is confirmed.")
            right = [
                {"type": "text", "parameter_name": "order", "text": "#1"},
                {"type": "text", "parameter_name": "name", "text": "Ada"},
            ]
            wrong = [right[0], {"type": "text", "parameter_name": "who", "text": "Ada"}]
            for parameters, expected in ((right, 200), (wrong, 400)):
                components = [{"type": "body", "parameters": parameters}]
                response = await bot.send(utility(components=components), kind="UTILITY")
                assert response.status_code == expected

        assert simulator.sent[0].text == "Hi Ada, order #1 is confirmed."

    @pytest.mark.parametrize(
        ("parameters", "error"),
        [
            ([{"type": "URL", "url": "o/1"}, {"type": "POSTBACK", "payload": "STATUS"}], None),
            ([{"type": "URL", "url": "o/1"}], (100, 1893029)),
            ([], (100, 1893029)),
            ([{"type": "POSTBACK", "payload": "S"}, {"type": "URL", "url": "o/1"}], (100, None)),
            ([{"type": "URL", "url": "o/1"}] * 3, (100, None)),
            ([{"type": "text", "text": "o/1"}, {"type": "POSTBACK", "payload": "S"}], (100, None)),
        ],
    )
    async def test_buttons_take_one_parameter_each_in_order(
        self, parameters: list[Any], error: tuple[int, int | None] | None
    ) -> None:
        buttons: list[dict[str, Json]] = [
            {"type": "URL", "text": "View", "url": "https://shop.example/{{1}}", "example": ["x"]},
            {"type": "POSTBACK", "text": "Where is it?"},
            {"type": "URL", "text": "Shop", "url": "https://shop.example/"},
        ]
        async with simulated() as (simulator, bot):
            simulator.templates.add("order_confirmation", BODY, buttons=buttons)
            components = list(utility("Ada", "#1")["template"]["components"])
            if parameters:
                components.append({"type": "buttons", "parameters": parameters})
            response = await bot.send(utility(components=components), kind="UTILITY")

        assert (None if response.status_code == 200 else error_of(response)) == error


def definition(**changes: Json) -> dict[str, Any]:
    return {
        "name": "order_confirmation",
        "language": "en_US",
        "category": "UTILITY",
        "components": [{"type": "BODY", "text": BODY, "example": {"body_text": [["Ada", "#1"]]}}],
        **changes,
    }


def with_buttons(*buttons: dict[str, Any]) -> dict[str, Any]:
    return definition(components=[*definition()["components"], {"type": "BUTTONS", "buttons": list(buttons)}])


PATH = "/v25.0/me/message_templates"


class TestTemplateManagement:
    async def test_a_created_template_can_be_listed_sent_and_deleted(self) -> None:
        async with simulated() as (_, bot):
            made = (await bot.client.post(PATH, json=definition())).json()
            listed = (await bot.client.get(PATH, params={"name": "order_confirmation"})).json()["data"]
            sent = await bot.send(utility("Ada", "#1"), kind="UTILITY")
            deleted = await bot.client.delete(PATH, params={"hsm_id": made["id"]})
            after = await bot.send(utility("Ada", "#1"), kind="UTILITY")

        assert (made["status"], made["category"]) == ("APPROVED", "UTILITY")
        assert [(it["id"], it["language"], it["status"]) for it in listed] == [(made["id"], "en_US", "APPROVED")]
        assert sent.status_code == 200
        assert deleted.json() == {"success": True}
        assert error_of(after) == (100, None)

    async def test_deleting_by_name_removes_all_languages(self) -> None:
        async with simulated() as (_, bot):
            await bot.client.post(PATH, json=definition())
            await bot.client.post(PATH, json=definition(language="de"))
            await bot.client.delete(PATH, params={"name": "order_confirmation"})
            assert (await bot.client.get(PATH)).json()["data"] == []
            gone = await bot.client.delete(PATH, params={"name": "order_confirmation"})
            assert error_of(gone) == (100, None)
            assert error_of(await bot.client.delete(PATH)) == (100, None)

    async def test_the_state_after_creation_is_a_setting(self) -> None:
        async with simulated(template_status="PENDING") as (_, bot):
            assert (await bot.client.post(PATH, json=definition())).json()["status"] == "PENDING"

    async def test_a_name_exists_once_in_each_language(self) -> None:
        async with simulated() as (_, bot):
            await bot.client.post(PATH, json=definition())
            assert error_of(await bot.client.post(PATH, json=definition())) == (100, 2388024)

    @pytest.mark.parametrize(
        ("body", "subcode"),
        [
            (definition(name="OrderConfirmation"), None),
            (definition(language="english"), None),
            (definition(category="MARKETING"), None),
            (definition(components=[]), None),
            (definition(components=[{"type": "BODY", "text": "x" * 1025}]), None),
            (definition(components=[{"type": "BODY"}]), None),
            (definition(components=[{"type": "FOOTER", "text": "x"}, {"type": "BODY", "text": "x"}]), None),
            (definition(components=[{"type": "HEADER", "text": "x"}, {"type": "BODY", "text": "x"}]), None),
            (definition(parameter_format="BOTH"), None),
            (definition(library_template_name="x"), None),
            (with_buttons({"type": "QUICK_REPLY", "text": "Yes"}), 2018416),
            (with_buttons({"type": "POSTBACK", "text": "Yes", "example": "x"}), 2388051),
            (with_buttons({"type": "POSTBACK", "text": "x" * 21}), None),
            (with_buttons({"type": "URL", "text": "View", "url": "shop.example"}), None),
            (with_buttons(*[{"type": "POSTBACK", "text": "Yes"}] * 4), None),
            (with_buttons(), None),
        ],
    )
    async def test_a_wrong_definition_makes_nothing(self, body: dict[str, Any], subcode: int | None) -> None:
        async with simulated() as (_, bot):
            assert error_of(await bot.client.post(PATH, json=body)) == (100, subcode)
            assert (await bot.client.get(PATH)).json()["data"] == []

    @pytest.mark.parametrize(
        ("text", "example", "reason"),
        [
            ("{{1}} is your order", ["x"], "INCORRECT_PARAMS"),
            ("Your order is {{1}}", ["x"], "INCORRECT_PARAMS"),
            ("Order {{2}} is here", ["x"], "INCORRECT_PARAMS"),
            ("Order {{1}} is here", None, "TEMPLATE_VARIABLES_MISSING_SAMPLE_VALUES"),
        ],
    )
    async def test_review_rejects_bad_placeholders(self, text: str, example: list[str] | None, reason: str) -> None:
        component: dict[str, Any] = {"type": "BODY", "text": text}
        if example:
            component["example"] = {"body_text": [example]}
        async with simulated() as (_, bot):
            made = await bot.client.post(PATH, json=definition(components=[component]))
            listed = (await bot.client.get(PATH)).json()["data"][0]

        assert made.json()["status"] == "REJECTED"
        assert listed["rejected_reason"] == reason

    def test_adding_a_template_that_would_be_rejected_raises_the_reason(self) -> None:
        simulator = MessengerSimulator()
        with pytest.raises(ValueError, match="INCORRECT_PARAMS"):
            simulator.templates.add("order", "{{1}} is confirmed.")
        assert list(simulator.templates) == []


class TestUsageHeaders:
    async def test_there_are_none_until_usage_is_set(self) -> None:
        async with simulated() as (_, bot):
            assert "x-app-usage" not in (await bot.send()).headers

    async def test_usage_is_told_on_success_and_on_errors(self) -> None:
        async with simulated(page_id="42") as (simulator, bot):
            simulator.app_usage = Usage(28, 25, 24)
            simulator.page_usage = Usage(95, 20, 20)
            good, bad = await bot.send(), await bot.send({"text": ""})

        for response in (good, bad):
            assert json.loads(response.headers["x-app-usage"]) == {
                "call_count": 28,
                "total_cputime": 25,
                "total_time": 24,
            }
            assert json.loads(response.headers["x-business-use-case-usage"]) == {
                "42": [
                    {
                        "type": "messenger",
                        "call_count": 95,
                        "total_cputime": 20,
                        "total_time": 20,
                        "estimated_time_to_regain_access": 0,
                    }
                ]
            }


class TestFaults:
    @pytest.mark.parametrize("code", [1, 2, 4, 17, 32, 190, 200, 341, 368, 551, 613, 1200, 2022, 80006, 77777])
    async def test_any_graph_error_can_be_played_and_delivers_nothing(self, code: int) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.error(code))
            first, second = await bot.send(), await bot.send()

        assert error_of(first)[0] == code
        assert second.status_code == 200
        assert [request.outcome for request in simulator.requests] == ["fault", "accepted"]
        assert simulator.sent_count == 1

    async def test_an_error_can_be_shaped(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(
                Fault.error(613, 2018338, is_transient=False, status=200, message="slow down"),
                Fault.error(80006, regain_access_minutes=7, retry_after_seconds=30),
            )
            shaped, limited = await bot.send(), await bot.send()

        assert (shaped.status_code, error_of(shaped)) == (200, (613, 2018338))
        assert shaped.json()["error"]["is_transient"] is False
        assert shaped.json()["error"]["message"] == "slow down"
        usage = json.loads(limited.headers["x-business-use-case-usage"])
        assert usage[simulator.page_id][0]["estimated_time_to_regain_access"] == 7
        assert limited.headers["retry-after"] == "30"

    async def test_faults_are_played_in_order_as_often_as_asked(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.error(4).repeated(2), Fault.http(503))
            statuses = [(await bot.send()).status_code for _ in range(4)]

        assert statuses == [403, 403, 503, 200]

    async def test_a_fault_without_end_lasts_until_it_is_cleared(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.http(500).repeated(None))
            assert {(await bot.send()).status_code for _ in range(5)} == {500}
            simulator.faults.clear()
            assert (await bot.send()).status_code == 200

    async def test_a_fault_can_hit_one_shopper_only(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.error(2).to("2"))
            assert (await bot.send(psid="1")).status_code == 200
            assert error_of(await bot.send(psid="2"))[0] == 2
            assert (await bot.send(psid="2")).status_code == 200

    @pytest.mark.parametrize("status", [429, 500, 503])
    async def test_a_proxy_can_answer_instead_of_meta(self, status: int) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.http(status, retry_after_seconds=2))
            response = await bot.send()

        assert (response.status_code, response.headers["retry-after"]) == (status, "2")
        assert "html" in response.headers["content-type"]
        assert simulator.sent == []

    async def test_accepted_and_then_answered_500_is_delivered(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.http(500, accepted=True))
            response = await bot.send()

        assert response.status_code == 500
        assert simulator.requests[0].outcome == "unanswered"
        assert simulator.requests[0].message_id == simulator.sent[0].message_id

    async def test_accepted_and_then_dropped_is_delivered(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.accept_then_drop())
            with pytest.raises(httpx.RemoteProtocolError):
                await bot.send()
            assert (await bot.send()).status_code == 200

        assert simulator.sent_count == 2
        assert simulator.requests[0].outcome == "unanswered"

    async def test_a_reset_comes_before_the_message_is_handled(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.reset())
            with pytest.raises(httpx.ReadError):
                await bot.send()

        assert simulator.sent == []
        assert [(it.outcome, it.fault, it.status) for it in simulator.requests] == [("fault", "reset", None)]

    @pytest.mark.parametrize("accepted", [True, False])
    async def test_an_answer_can_be_no_json(self, *, accepted: bool) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.malformed(accepted=accepted))
            response = await bot.send()
            with pytest.raises(json.JSONDecodeError):
                response.json()

        assert response.status_code == 200
        assert simulator.sent_count == int(accepted)

    @pytest.mark.parametrize("accepted", [True, False])
    async def test_an_answer_can_end_in_the_middle(self, *, accepted: bool) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.truncated(accepted=accepted))
            with pytest.raises(httpx.RemoteProtocolError):
                await bot.send()

        assert simulator.sent_count == int(accepted)

    async def test_who_leaves_during_a_hang_has_sent_nothing(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.hang(600))
            with pytest.raises(httpx.ReadTimeout):
                await bot.client.post(
                    "/v25.0/me/messages",
                    json={"recipient": {"id": PSID}, "messaging_type": "UPDATE", "message": TEXT},
                    timeout=0.1,
                )
            await simulator.wait_for_requests(1)

        assert simulator.requests[0].outcome == "abandoned"
        assert simulator.sent == []

    async def test_who_leaves_during_a_hang_after_delivery_has_sent_it(self) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.hang(600, accepted=True))
            bot.client.timeout = httpx.Timeout(0.1)
            with pytest.raises(httpx.ReadTimeout):
                await bot.send()

        assert simulator.sent_count == 1
        assert simulator.requests[0].outcome == "unanswered"

    @pytest.mark.parametrize("accepted", [True, False])
    async def test_a_short_hang_ends_with_the_usual_answer(self, *, accepted: bool) -> None:
        async with simulated() as (simulator, bot):
            simulator.inject(Fault.hang(0.05, accepted=accepted))
            response = await bot.send()

        assert response.json()["message_id"] == simulator.sent[0].message_id

    async def test_a_fault_after_acceptance_does_not_deliver_what_meta_refuses(self) -> None:
        async with simulated(window="closed") as (simulator, bot):
            simulator.inject(Fault.accept_then_drop())
            with pytest.raises(httpx.RemoteProtocolError):
                await bot.send()

        assert simulator.sent == []
        assert (simulator.requests[0].outcome, simulator.requests[0].code) == ("rejected", 10)


class TestWebhooks:
    async def test_what_a_shopper_writes_arrives_signed_over_the_escaped_bytes(self) -> None:
        receiver = WebhookReceiver()
        clock = ManualClock()
        async with receiver.serve() as url, simulated(webhook_url=url, clock=clock, page_id="42") as (sim, _):
            delivery = await sim.say(PSID, "Où est ma commande/colis ? 🎁")

        request = receiver.received[0]
        assert delivery.accepted
        assert rb"O\u00f9 est ma commande\/colis ? \ud83c\udf81" in request.body
        assert request.headers["x-hub-signature-256"] == sign_messenger(request.body, "test-app-secret")
        event = request.events[0]
        assert request.payload["object"] == "page"
        assert request.payload["entry"][0]["id"] == "42"
        assert event["sender"] == {"id": PSID}
        assert event["recipient"] == {"id": "42"}
        assert event["timestamp"] == int(clock.now * 1000)
        assert event["message"] == {"mid": delivery.mid, "text": "Où est ma commande/colis ? 🎁"}

    async def test_each_act_has_its_own_shape(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url) as (simulator, _):
            await simulator.say(PSID, "hi", reply_to="m_0")
            await simulator.tap(PSID, "ORDER_STATUS", "Where's my order?")
            await simulator.postback(PSID, "START", ref="token-1")
            await simulator.referral(PSID, "token-2")
            await simulator.optin(PSID, ref="token-3")
            await simulator.optin(user_ref="box-1")
            await simulator.sticker(PSID)
            await simulator.attachment(PSID, "image", "https://cdn.example/a.png")
            await simulator.react(PSID, "m_1")
            await simulator.read(PSID)
            await simulator.delivery(PSID, ["m_1"])
            await simulator.delivery(PSID)
            await simulator.standby(PSID, "hello")

        events = receiver.events
        assert events[0]["message"]["reply_to"] == {"mid": "m_0"}
        assert events[1]["message"]["quick_reply"] == {"payload": "ORDER_STATUS"}
        assert events[1]["message"]["text"] == "Where's my order?"
        assert events[2]["postback"]["payload"] == "START"
        assert events[2]["postback"]["mid"]
        assert events[2]["postback"]["referral"]["ref"] == "token-1"
        assert events[3]["referral"] == {"ref": "token-2", "source": "SHORTLINK", "type": "OPEN_THREAD"}
        assert events[4]["optin"] == {"ref": "token-3"}
        assert events[5]["optin"]["user_ref"] == "box-1"
        assert "sender" not in events[5]
        assert events[6]["message"]["attachments"][0]["type"] == "sticker"
        assert "text" not in events[7]["message"]
        assert events[8]["reaction"]["mid"] == "m_1"
        assert events[9]["read"]["watermark"]
        assert events[10]["delivery"]["mids"] == ["m_1"]
        assert "mids" not in events[11]["delivery"]
        assert "standby" in receiver.received[12].payload["entry"][0]

    async def test_many_events_can_come_in_one_post(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url) as (simulator, _):
            delivery = await simulator.say_all([(str(number), "hi") for number in range(1, 251)])

        assert len(receiver.received) == 1
        assert len(receiver.received[0].payload["entry"]) == 250
        assert len(set(delivery.mids)) == 250

    async def test_a_message_can_be_delivered_again_with_the_same_mid(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url) as (simulator, _):
            first = await simulator.say(PSID, "hi")
            await simulator.redeliver(first.mid)
            with pytest.raises(KeyError):
                await simulator.redeliver("m_unknown")

        assert [event["message"]["mid"] for event in receiver.events] == [first.mid, first.mid]

    async def test_a_failed_delivery_is_tried_again_with_the_same_bytes(self) -> None:
        receiver = WebhookReceiver([500, 302])
        async with receiver.serve() as url, simulated(webhook_url=url) as (simulator, _):
            simulator.webhooks.retry_delay_seconds = 0
            delivery = await simulator.say(PSID, "hi")

        assert (delivery.status, delivery.attempts) == (200, 3)
        assert len({request.body for request in receiver.received}) == 1

    async def test_a_bot_that_does_not_answer_is_given_up(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url:
            pass
        async with simulated(webhook_url=url) as (simulator, _):
            simulator.webhooks.retry_delay_seconds = 0
            delivery = await simulator.say(PSID, "hi")

        assert (delivery.accepted, delivery.status, delivery.attempts) == (False, None, 3)

    async def test_the_handshake_needs_the_challenge_back(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url) as (simulator, _):
            assert await simulator.handshake("verify-me")
            assert not await simulator.handshake("something else")

    async def test_a_sent_message_comes_back_as_an_echo(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url, page_id="42", app_id=7) as (sim, bot):
            await bot.send({"text": "Hi", "metadata": "shopbot:order:1"})
            await receiver.wait_for(1)

        event = receiver.events[0]
        assert (event["sender"]["id"], event["recipient"]["id"]) == ("42", PSID)
        assert event["message"] == {
            "mid": sim.sent[0].message_id,
            "is_echo": True,
            "app_id": 7,
            "metadata": "shopbot:order:1",
            "text": "Hi",
        }

    async def test_a_dropped_answer_is_echoed_all_the_same(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url) as (simulator, bot):
            simulator.inject(Fault.accept_then_drop())
            with pytest.raises(httpx.RemoteProtocolError):
                await bot.send({"text": "Hi", "metadata": "claim-1"})
            await receiver.wait_for(1)

        assert receiver.events[0]["message"]["metadata"] == "claim-1"

    async def test_refused_messages_have_no_echo(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url) as (simulator, bot):
            simulator.block(PSID)
            await bot.send()
            await bot.send({"text": "first"}, psid="1")
            await receiver.wait_for(1)

        assert [event["message"]["text"] for event in receiver.events] == ["first"]

    async def test_echoes_can_come_twice_with_the_same_mid(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url, echoes="twice") as (_, bot):
            await bot.send()
            await receiver.wait_for_events(2)

        first, second = receiver.events
        assert first["message"]["mid"] == second["message"]["mid"]

    async def test_echoes_can_be_off(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated(webhook_url=url, echoes="never") as (simulator, bot):
            await bot.send()
            await simulator.say(PSID, "hi")

        assert [event["message"]["text"] for event in receiver.events] == ["hi"]

    async def test_a_late_echo_comes_after_later_events(self) -> None:
        receiver = WebhookReceiver()
        async with (
            receiver.serve() as url,
            simulated(webhook_url=url, echo_delay_seconds=0.1) as (simulator, bot),
        ):
            await bot.send({"text": "echo"})
            await simulator.say(PSID, "hi")
            await receiver.wait_for(2)

        assert [event["message"]["text"] for event in receiver.events] == ["hi", "echo"]

    async def test_echoes_that_never_came_are_not_posted_after_the_end(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url:
            async with simulated(webhook_url=url, echo_delay_seconds=600) as (_, bot):
                await bot.send()
            assert receiver.received == []


class TestControl:
    async def test_another_process_can_script_and_look(self) -> None:
        receiver = WebhookReceiver()
        async with receiver.serve() as url, simulated() as (_, bot):
            http = bot.client
            await http.post("/_simulator/settings", json={"window": "closed", "webhook_url": url})
            said = await http.post("/_simulator/say", json={"psid": PSID, "text": "hello"})
            faults = [{"fault": "error", "code": 4, "times": 2}, {"fault": "hang", "seconds": 0.01, "psid": "5"}]
            queued = await http.post("/_simulator/faults", json=faults)
            codes = [(await bot.send()).status_code for _ in range(3)]
            sent = (await http.get("/_simulator/sent")).json()
            requests = (await http.get("/_simulator/requests")).json()
            later = (await http.get("/_simulator/sent", params={"after": "1"})).json()
            other = (await http.get("/_simulator/sent", params={"psid": "1"})).json()
            cleared = await http.delete("/_simulator/faults")

        assert said.json()["status"] == 200
        assert receiver.events[0]["message"]["text"] == "hello"
        assert queued.json() == {"waiting": 2}
        assert codes == [403, 403, 200]
        assert [it["text"] for it in sent["sent"]] == [TEXT["text"]]
        assert sent["sent"][0]["raw"]["recipient"] == {"id": PSID}
        assert [it["outcome"] for it in requests["requests"]] == ["fault", "fault", "accepted"]
        assert (later["count"], later["sent"], other["sent"]) == (1, [], [])
        assert cleared.json() == {"waiting": 0}

    async def test_all_settings_can_be_changed(self) -> None:
        async with simulated() as (simulator, bot):
            usage = {"call_count": 81}
            settings = {"app_usage": usage, "page_usage": usage, "block": "1", "latency_seconds": 0.001}
            await bot.client.post("/_simulator/settings", json=settings)
            response = await bot.send(psid="1")
            assert error_of(response) == (551, 1545041)
            assert json.loads(response.headers["x-app-usage"])["call_count"] == 81
            await bot.client.post("/_simulator/settings", json={"unblock": "1", "revoke_token": 463})
            assert error_of(await bot.send(psid="1")) == (190, 463)
            await bot.client.post("/_simulator/settings", json={"accept_token": TOKEN, "app_usage": None})
            assert (await bot.send(psid="1")).status_code == 200
            assert simulator.app_usage is None

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("faults", {"fault": "earthquake"}),
            ("faults", {"fault": "error"}),
            ("faults", {"fault": "hang", "minutes": 5}),
            ("settings", {"windw": "open"}),
            ("settings", []),
            ("say", {"psid": PSID}),
            ("say", []),
            ("redeliver", {"mid": "m_none"}),
            ("serve", {}),
        ],
    )
    async def test_what_it_does_not_understand_is_explained(self, path: str, body: Json) -> None:
        async with simulated() as (_, bot):
            response = await bot.client.post(f"/_simulator/{path}", json=body)
            assert response.status_code in {400, 404}
            assert response.json()["problem"]

    async def test_reset_forgets_what_happened_and_keeps_the_templates(self) -> None:
        async with simulated(window="closed") as (simulator, bot):
            simulator.templates.add("order_confirmation", BODY)
            await simulator.say(PSID, "hello")
            await bot.send()
            simulator.inject(Fault.reset())
            await bot.client.post("/_simulator/reset")
            assert (simulator.sent, simulator.requests, simulator.sent_count) == ([], [], 0)
            assert error_of(await bot.send()) == (10, 2018278)
            assert (await bot.send(utility("Ada", "#1"), kind="UTILITY")).status_code == 200


class TestRunning:
    async def test_it_remembers_only_the_last_messages(self) -> None:
        async with simulated(keep=3) as (simulator, bot):
            for number in range(5):
                await bot.send({"text": str(number)})

        assert [message.text for message in simulator.sent] == ["2", "3", "4"]
        assert [message.raw["message"]["text"] for message in simulator.requests] == ["2", "3", "4"]
        assert simulator.sent_count == 5

    async def test_an_outage_can_be_played_on_the_same_port(self) -> None:
        simulator = MessengerSimulator()
        body = {"recipient": {"id": PSID}, "messaging_type": "UPDATE", "message": TEXT}
        async with httpx.AsyncClient(
            headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30.0, trust_env=False
        ) as client:
            async with simulator.serve() as address:
                await client.post(f"{address}/v25.0/me/messages", json=body)
            with pytest.raises(httpx.ConnectError):
                await client.post(f"{address}/v25.0/me/messages", json=body)
            async with simulator.serve(port=int(address.rpartition(":")[2])) as again:
                await client.post(f"{again}/v25.0/me/messages", json=body)

        assert simulator.sent_count == 2

    async def test_several_run_side_by_side_and_leave_nothing_in_sanic(self) -> None:
        before = set(Sanic._app_registry)
        async with simulated() as (one, bot), simulated() as (two, _):
            await bot.send()
            assert (one.sent_count, two.sent_count) == (1, 0)

        assert set(Sanic._app_registry) == before

    async def test_stopping_ends_handlers_that_still_wait(self) -> None:
        simulator = MessengerSimulator(latency_seconds=600)
        async with httpx.AsyncClient(timeout=30.0, trust_env=False) as client:
            async with simulator.serve() as address:
                call = asyncio.ensure_future(
                    client.post(
                        f"{address}/v25.0/me/messages?access_token={TOKEN}",
                        json={"recipient": {"id": PSID}, "messaging_type": "UPDATE", "message": TEXT},
                    )
                )
                await simulator.wait_for_sent(1)
            with pytest.raises(httpx.RemoteProtocolError):
                await call

        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_waiting_in_vain_says_what_happened_instead(self) -> None:
        async with simulated(window="closed") as (simulator, bot):
            await bot.send()
            with pytest.raises(TimeoutError, match=r"0 of 1 messages .* rejected, 10"):
                await simulator.wait_for_sent(1, timeout_seconds=0.05)

    async def test_the_observer_sees_each_call(self) -> None:
        seen = []
        async with simulated(observer=lambda request, sent: seen.append((request.outcome, sent))) as (sim, bot):
            await bot.send()
            await bot.send({"text": ""})

        assert seen == [("accepted", sim.sent[0]), ("rejected", None)]

    async def test_messages_can_be_asked_for_by_shopper(self) -> None:
        async with simulated() as (simulator, bot):
            await bot.send({"text": "a"}, psid="1")
            await bot.send({"text": "b"}, psid="2")

        assert [message.text for message in simulator.sent_to("2")] == ["b"]

    async def test_acts_with_a_webhook_url_need_a_simulator_that_serves(self) -> None:
        simulator = MessengerSimulator(webhook_url="http://127.0.0.1:1/webhooks")
        with pytest.raises(RuntimeError, match="serve"):
            await simulator.say(PSID, "hi")


class TestCommandLine:
    async def test_it_runs_by_itself_and_prints_what_arrives(self) -> None:
        arguments = ["messenger", "--port", "0", "--window", "closed", "--latency", "1ms"]
        arguments += ["--template", "order_confirmation/en_US/2"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "shopbot.testing", *arguments, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                line = ""
                while "api_url:" not in line:
                    line = (await process.stdout.readline()).decode()
                address = line.split("api_url:")[1].strip()
                async with httpx.AsyncClient(
                    base_url=address.removesuffix("/v25.0"),
                    headers={"Authorization": f"Bearer {TOKEN}"},
                    trust_env=False,
                ) as client:
                    refused = await Bot(client).send()
                    accepted = await Bot(client).send(utility("Ada", "#1"), kind="UTILITY")
                process.terminate()
                printed = (await process.stdout.read()).decode()
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

        assert error_of(refused) == (10, 2018278)
        assert accepted.json()["message_id"] in printed
        assert "rejected 10/2018278" in printed

    @pytest.mark.parametrize(
        "arguments", [["--latency", "soon"], ["--template", "order_confirmation"], ["--window", "ajar"]]
    )
    async def test_wrong_options_are_explained(self, arguments: list[str]) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "shopbot.testing", "messenger", *arguments),
            stderr=asyncio.subprocess.PIPE,
        )
        _, text = await process.communicate()

        assert process.returncode == 2
        assert arguments[0] in text.decode()
