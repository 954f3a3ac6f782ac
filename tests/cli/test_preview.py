from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from shopbot.cli import build
from shopbot.testing.host import CONFIG, PAGE_TOKEN, SECRET
from shopbot.testing.orders import order_bytes, paid_order, pending_order
from support.attacked_shop import config, message
from support.command_line import Ended, shopbot
from support.conversation import CONFIG as CONVERSATION
from support.conversation import fulfillment, refund
from support.documents import ROOT
from support.orders import drop_in

VARIABLES = {
    "SHOPIFY_WEBHOOK_SECRET": SECRET,
    "MESSENGER_PAGE_TOKEN": PAGE_TOKEN,
    "MESSENGER_APP_SECRET": "test-app-secret",
    "MESSENGER_VERIFY_TOKEN": "hello",
    "MESSENGER_URL": "https://graph.facebook.com",
}


def preview(directory: Path, *arguments: str, text: str | None = None, **environ: str | None) -> Ended:
    """Call `shopbot preview`.

    text: the configuration; None: the one that is there, else the tests' own.
    environ: variables that differ.
    """
    path = directory / "shopbot.yaml"
    if text is not None or not path.exists():
        path.write_text(text or CONFIG, encoding="utf-8")
    return shopbot("preview", *arguments, directory=directory, environ={**VARIABLES, **environ}, columns=80)


def listed(directory: Path, *arguments: str, text: str | None = None, exit_code: int = 0) -> list[dict[str, Any]]:
    ended = preview(directory, *arguments, "--json", text=text)
    assert (ended.exit_code, bool(ended.output)) == (exit_code, True), ended.errors
    found: list[dict[str, Any]] = json.loads(ended.output)
    return found


def a_file(directory: Path, body: Mapping[str, Any], name: str = "order.json") -> str:
    (directory / name).write_bytes(order_bytes(body))
    return name


SENDER = """\
\"\"\"Send by pigeon.\"\"\"
from shopbot.plugin import MessagePreview, OutboundMessage, PluginConfig, Refused, hookimpl


class Plugin:
    def __init__(self, config: PluginConfig) -> None: ...

    @hookimpl
    async def send_message(self, message: OutboundMessage) -> None: ...
"""
SHOWS = """
    @hookimpl
    def preview_message(self, message: OutboundMessage) -> MessagePreview | None:
"""


CARDS = {
    "de": """\
order_confirmation  de  sample everyday
  rule order_confirmation on orders/create, orders/paid, orders/updated
  order_confirmation.de.txt.j2, which comes with shopbot, 135 of 1999 characters
  ╭─ Acme ───────────────────────────────────────────────────────╮
  │ Bestellung bestätigt! 🎉                                     │
  │ Bestellung #1234                                             │
  │ Voraussichtliche Lieferung: 10. Feb.                         │
  │ Bestellung verfolgen: Schreib „Wo ist meine Bestellung?“     │
  │                                                              │
  │ [ Bestellung verfolgen ]                                     │
  ╰─────────────────────────────────────── UPDATE · window open ─╯
  ╭─ Acme ───────────────────────────────────────────────────────╮
  │ Deine Bestellung #1234 ist bestätigt und kommt               │
  │ voraussichtlich am 10.02.2026 an.                            │
  ╰──────────────────────────────────── UTILITY · window closed ─╯

""",
    "ar": """\
order_confirmation  ar  sample everyday
  rule order_confirmation on orders/create, orders/paid, orders/updated
  order_confirmation.ar.txt.j2, which comes with shopbot, 93 of 1999 characters
  ! UTILITY: no words in 'ar', so those in en are used
  ╭─ Acme ───────────────────────────────────────────────────────╮
  │                                            تم تأكيد طلبك! 🎉 │
  │                                                  الطلب \u2068#1234\u2069 │
  │                              موعد التسليم المتوقع: 10 فبراير │
  │                                 لتتبّع طلبك: اكتب «أين طلبي؟» │
  │                                                              │
  │                                                [ أين طلبي؟ ] │
  ╰─────────────────────────────────────── UPDATE · window open ─╯
  ╭─ Acme ───────────────────────────────────────────────────────╮
  │ Your order #1234 is confirmed and arrives on Feb 10, 2026,   │
  │ as promised.                                                 │
  ╰──────────────────────────────────── UTILITY · window closed ─╯

""",
}


@pytest.mark.parametrize("locale", CARDS)
def test_the_card_shows_what_a_shopper_reads_and_where_it_is_from(tmp_path: Path, locale: str) -> None:
    ended = preview(tmp_path, "order_confirmation", "--locale", locale, text=CONVERSATION)

    assert (ended.exit_code, ended.errors) == (0, "")
    assert ended.output == CARDS[locale]


def test_the_manual_shows_the_card_as_it_is() -> None:
    assert f"```text\n{CARDS['de'].rstrip()}\n```" in (ROOT / "docs" / "preview.md").read_text(encoding="utf-8")


def test_alone_it_shows_every_message_once_in_the_shops_language(tmp_path: Path) -> None:
    found = listed(tmp_path, text=CONVERSATION.replace("locale: en", "locale: de"))

    assert [one["message"] for one in found] == [
        *("order_confirmation", "order_status", "order_choice", "order_not_found", "order_shipped"),
        *("order_delivered", "order_refunded", "opted_out", "opted_in"),
    ]
    assert {one["locale"] for one in found} == {"de"}
    assert all(one["text"] for one in found)


def test_all_locales_are_those_that_a_message_has_words_in(tmp_path: Path) -> None:
    found = listed(tmp_path, "order_confirmation", "--all-locales", "--locale", "nl", text=CONVERSATION)

    assert [
        (one["asked_locale"], one["file"], [sending["fell_back"] for sending in one["sendings"]]) for one in found
    ] == [
        ("nl", "order_confirmation.en.txt.j2", [True, True]),
        ("en", "order_confirmation.en.txt.j2", [False, False]),
        ("ar", "order_confirmation.ar.txt.j2", [False, True]),
        ("de", "order_confirmation.de.txt.j2", [False, False]),
        ("es", "order_confirmation.es.txt.j2", [False, True]),
        ("fr", "order_confirmation.fr.txt.j2", [False, True]),
        ("pt-BR", "order_confirmation.pt-BR.txt.j2", [False, True]),
    ]


def test_a_text_of_ones_own_is_told_from_one_that_comes_with_shopbot(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "order_confirmation.de.txt.j2").write_text(
        "Danke für {{ order.name }}!", encoding="utf-8"
    )

    german, english = listed(tmp_path, "--locale", "de", "--locale", "en")
    card = preview(tmp_path, "--locale", "de")
    inline = listed(tmp_path, text=config(messages=message(text="Thanks for {{ order.name }}!")))

    assert (german["file"], german["bundled"], german["text"]) == (
        "order_confirmation.de.txt.j2",
        False,
        "Danke für #1234!",
    )
    assert (english["file"], english["bundled"]) == ("order_confirmation.en.txt.j2", True)
    assert german["path"] == str(Path("templates", "order_confirmation.de.txt.j2"))
    assert f"  {german['path']}, 16 of 1999 characters\n" in card.output
    assert (inline[0]["file"], inline[0]["text"]) == (None, "Thanks for #1234!")
    assert "words in the configuration" in preview(tmp_path).output


@pytest.mark.parametrize(
    ("arguments", "samples"),
    [
        ((), ["everyday"]),
        (("--sample", "bare"), ["bare"]),
        (("--all-samples",), ["everyday", "long", "bare"]),
    ],
)
def test_a_message_is_tried_on_made_up_orders(tmp_path: Path, arguments: tuple[str, ...], samples: list[str]) -> None:
    assert [one["sample"] for one in listed(tmp_path, *arguments)] == samples


def test_an_answer_is_tried_on_an_order_in_each_of_its_states(tmp_path: Path) -> None:
    found = listed(tmp_path, "order_status", "--all-samples", text=CONVERSATION)
    texts = {one["sample"]: one["text"] for one in found}

    assert "It has been delivered" in texts["delivered"]
    assert "It was refunded" in texts["order_refunded"]
    assert {sending["delivery"] for one in found for sending in one["sendings"]} == {"RESPONSE"}


class TestTheWindow:
    async def test_both_ways_are_shown_where_the_shop_can_know(self, tmp_path: Path) -> None:
        (shipped,) = listed(tmp_path, "order_shipped", text=CONVERSATION)

        assert [(one["window"], one["delivery"]) for one in shipped["sendings"]] == [
            ("open", "UPDATE"),
            ("closed", "UTILITY"),
        ]

    def test_without_a_webhook_of_messenger_it_is_not_known(self, tmp_path: Path) -> None:
        (without,) = listed(tmp_path)
        (templated,) = listed(tmp_path, text=config(messages=message(utility_template={"name": "ok"})))

        assert [(one["window"], one["delivery"]) for one in without["sendings"]] == [("unknowable", "UPDATE")]
        assert [(one["window"], one["delivery"]) for one in templated["sendings"]] == [("unknowable", "UTILITY")]

    @pytest.mark.parametrize(
        ("on_limit", "why"),
        [("hold", "it waits until the shopper writes, 7d at most"), ("drop", "it is dropped, as `on_limit:` says")],
    )
    def test_what_cannot_go_out_while_it_is_closed_is_told(self, tmp_path: Path, on_limit: str, why: str) -> None:
        text = config(messages=message(on_limit=on_limit))
        (found,) = listed(tmp_path, "--window", "closed", text=text)

        assert [one["delivery"] for one in found["sendings"]] == [None]
        assert why in found["sendings"][0]["why"]
        assert why in " ".join(preview(tmp_path, "--window", "closed").output.split())

    def test_a_template_whose_words_meta_alone_has_is_shown_by_its_values(self, tmp_path: Path) -> None:
        template = {"name": "order_ok", "language": "en_US", "parameters": ["{{ order.name }}", "{{ shop.name }}"]}
        shown = preview(tmp_path, "--window", "closed", text=config(messages=message(utility_template=template)))

        assert "utility template order_ok (en_US)" in shown.output
        assert "{{2}} Acme" in shown.output


class TestAnOrderFromAFile:
    def test_the_order_speaks_for_its_buyer_in_the_buyers_language(self, tmp_path: Path) -> None:
        file = a_file(tmp_path, paid_order(number=1001, locale="de"))
        (found,) = listed(tmp_path, "--order", file)

        assert (found["order"], found["sample"], found["asked_locale"]) == ("#1001", None, "de")
        assert "Bestellung #1001" in found["text"]
        assert found["would_not_send"] is None

    def test_an_order_as_the_admin_api_gives_it_will_do(self, tmp_path: Path) -> None:
        (found,) = listed(tmp_path, "--order", a_file(tmp_path, {"order": paid_order(number=1001)}))

        assert found["order"] == "#1001"

    def test_what_keeps_a_rule_from_sending_is_told(self, tmp_path: Path) -> None:
        file = a_file(tmp_path, pending_order(number=1001))
        (found,) = listed(tmp_path, "--order", file)

        assert found["would_not_send"] == {"reason": "NOT_PAID", "detail": "the financial status is pending"}
        assert "! would not be sent for #1001: NOT_PAID" in preview(tmp_path, "--order", file).output

    def test_a_rule_that_would_send_it_goes_before_one_that_would_not(self, tmp_path: Path) -> None:
        document = CONFIG.replace(
            "messages:\n",
            "  - name: on_account\n    on: orders/create\n    when: {financial_status: pending}\n"
            "    steps: [resolve_psid, {send_message: order_confirmation}]\nmessages:\n",
        )
        (found,) = listed(tmp_path, "--order", a_file(tmp_path, pending_order()), text=document)

        assert (found["rule"], found["would_not_send"]) == ("on_account", None)

    def test_messages_about_parcels_and_refunds_take_theirs_from_the_order(self, tmp_path: Path) -> None:
        parcel = fulfillment(1, shipment_status="delivered")
        body = paid_order(number=1001, fulfillments=[parcel], refunds=[refund(1, "10.50")])
        ended = preview(tmp_path, "--order", a_file(tmp_path, body), "--json", text=CONVERSATION)
        texts = {one["message"]: one["text"] for one in json.loads(ended.output)}

        assert set(texts) == {
            *("order_confirmation", "order_status", "order_choice", "order_delivered", "order_refunded"),
        }
        assert "#1001 has been delivered" in texts["order_delivered"]
        assert "€10.50" in texts["order_refunded"]
        assert "order_shipped: rule 'order_shipped' sends it for a parcel that is shipped or in_transit" in ended.errors
        assert "opted_out: it says nothing of an order" in ended.errors
        assert ended.exit_code == 0

    def test_a_message_that_was_asked_for_and_cannot_be_shown_is_a_problem(self, tmp_path: Path) -> None:
        ended = preview(tmp_path, "order_refunded", "--order", a_file(tmp_path, paid_order()), text=CONVERSATION)

        assert (ended.exit_code, ended.output) == (1, "")
        assert "sends it for a refund, and there is none in order.json" in ended.errors

    @pytest.mark.parametrize(
        ("topic", "body", "message", "words"),
        [
            ("fulfillments/create", fulfillment(1001), "order_shipped", "#1234 is on its way"),
            ("refunds/create", refund(1001), "order_refunded", "€10.50"),
        ],
    )
    def test_bodies_of_other_topics_are_taken_where_the_topic_is_said(
        self, tmp_path: Path, topic: str, body: Mapping[str, Any], message: str, words: str
    ) -> None:
        file = a_file(tmp_path, body)
        (found,) = listed(tmp_path, message, "--order", file, "--topic", topic, text=CONVERSATION)
        mistaken = preview(tmp_path, message, "--order", file)

        assert words in found["text"]
        assert mistaken.exit_code == 1
        assert "order.json: this is the body of a parcel or a refund: say of which topic" in mistaken.errors

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"{", "the body is not JSON"),
            (b"[1]", "expected an order object, got list"),
            (b'{"name": "#1"}', "the order has no integer 'id'"),
            (b" " * 2_000, "larger than 1024 bytes"),
        ],
    )
    def test_a_file_that_holds_no_order_is_told(self, tmp_path: Path, content: bytes, why: str) -> None:
        (tmp_path / "order.json").write_bytes(content)
        ended = preview(tmp_path, "--order", "order.json", text=f"{CONFIG}web: {{max_body_bytes: 1024}}\n")

        assert (ended.exit_code, ended.output) == (1, "")
        assert f"order.json: {why}" in ended.errors

    def test_an_order_may_come_from_standard_input(self, tmp_path: Path) -> None:
        (tmp_path / "shopbot.yaml").write_text(CONFIG, encoding="utf-8")
        with contextlib.chdir(tmp_path):
            result = CliRunner().invoke(
                build(),
                ["preview", "--order", "-", "--json"],
                input=order_bytes(paid_order(number=1001)),
                env=VARIABLES,
            )

        assert (result.exit_code, json.loads(result.stdout)[0]["order"]) == (0, "#1001")


class TestWhatIsWrong:
    def test_a_text_that_is_cut_is_a_problem(self, tmp_path: Path) -> None:
        """`shopbot check` finds it for made-up orders only."""
        text = config(messages=message(text="{{ order.name }} " * 12))
        file = a_file(tmp_path, paid_order(name="#1001 " * 40))
        (found,) = listed(tmp_path, "--order", file, text=text, exit_code=1)

        assert found["cut"]
        assert found["characters"] > found["limit"] >= len(found["text"])
        assert "! the text is cut: Messenger takes 1999 characters" in preview(tmp_path, "--order", file).output

    def test_a_template_that_fails_for_this_order_is_told(self, tmp_path: Path) -> None:
        text = config(messages=message(text="{{ order.line_items[1].title if order.note_attributes else 'fine' }}"))
        file = a_file(tmp_path, paid_order(psid="7312345678901234", lines=[("Mug", "1.00")]))
        (found,) = listed(tmp_path, "--order", file, text=text, exit_code=1)

        assert found["error"].startswith("messages.order_confirmation.text")
        assert found["sendings"] == []

    @pytest.mark.parametrize(
        ("source", "problem"),
        [
            ("", "'pigeon' does not show what it sends"),
            (f"{SHOWS}        return None\n", "no entry of `senders:` takes this message"),
            (f"{SHOWS}        raise Refused('the pigeon is ill')\n", "refused: the pigeon is ill"),
            (f"{SHOWS}        return 1 / 0\n", "failed: ZeroDivisionError in preview_message: division by zero"),
        ],
        ids=["no such hook", "passes", "refuses", "fails"],
    )
    def test_what_a_sender_says_is_told(self, tmp_path: Path, source: str, problem: str) -> None:
        drop_in(tmp_path, "pigeon", f"{SENDER}{source}")
        text = config(senders=[{"use": "pigeon"}])
        (found,) = listed(tmp_path, text=text, exit_code=1 if source else 0)
        shown = preview(tmp_path).output

        assert [one["problem"] for one in found["sendings"]] == [problem]
        assert found["text"].startswith("Order confirmed!")
        assert problem.rsplit(maxsplit=1)[-1] in shown

    def test_the_first_sender_that_takes_it_is_the_one_that_is_shown(self, tmp_path: Path) -> None:
        drop_in(tmp_path, "pigeon", f"{SENDER}{SHOWS}        return None\n")
        (found,) = listed(tmp_path, text=config(senders=[{"use": "pigeon"}, {"use": "console", "width": 40}]))

        (sending,) = found["sendings"]
        assert (sending["sender"], sending["to"], sending["problem"]) == ("senders[1]:console", "standard output", None)
        assert "Order confirmed! 🎉" in sending["body"]

    def test_a_name_cannot_steer_the_terminal(self, tmp_path: Path) -> None:
        file = a_file(tmp_path, paid_order(name="\x1b[31m#1\u202e"))
        text = config(messages=message(text="{{ order.name }}: thanks"))
        ended = preview(tmp_path, "--order", file, text=text)

        assert not {"\x1b", "\u202e"} & set(ended.output + ended.errors)


class TestWithoutSecrets:
    def test_variables_need_not_be_set(self, tmp_path: Path) -> None:
        ended = preview(tmp_path, MESSENGER_PAGE_TOKEN=None, SHOPIFY_WEBHOOK_SECRET=None)

        assert ended.exit_code == 0
        assert "Order confirmed! 🎉" in ended.output
        assert ended.errors == "not set, which does not matter here: SHOPIFY_WEBHOOK_SECRET, MESSENGER_PAGE_TOKEN\n"

    def test_what_else_is_wrong_is_told_as_check_does(self, tmp_path: Path) -> None:
        ended = preview(tmp_path, text=CONFIG.replace("once_per", "once_for"), MESSENGER_PAGE_TOKEN=None)

        assert (ended.exit_code, ended.output) == (1, "")
        assert "unknown key 'once_for'; did you mean 'once_per'?" in ended.errors
        assert "the environment variable 'MESSENGER_PAGE_TOKEN' is not set" in ended.errors

    def test_what_cannot_be_made_up_must_be_set(self, tmp_path: Path) -> None:
        ended = preview(tmp_path, MESSENGER_URL=None)

        assert (ended.exit_code, ended.output) == (1, "")
        assert "the environment variable 'MESSENGER_URL' is not set" in ended.errors

    def test_no_secret_is_shown(self, tmp_path: Path) -> None:
        text = config(sender={"app_secret": "${MESSENGER_APP_SECRET}"})
        ended = preview(tmp_path, "--json", text=text)

        (call,) = json.loads(ended.output)[0]["sendings"]
        assert call["body"]["appsecret_proof"] == "…"
        assert not [secret for secret in (SECRET, PAGE_TOKEN, "test-app-secret") if secret in ended.output]

    def test_a_missing_configuration_is_told(self, tmp_path: Path) -> None:
        ended = shopbot("preview", directory=tmp_path)

        assert (ended.exit_code, ended.errors) == (1, "shopbot.yaml: there is no such file\n")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("order_confirmatoin",), "no message named 'order_confirmatoin'; did you mean 'order_confirmation'?"),
        (("shopbot.yaml",), "the configuration goes with --config shopbot.yaml"),
        (("--locale", "german"), "'german' is no language: write de or pt-BR"),
        (("--order", "missing.json"), "there is no file 'missing.json'"),
        (("--order", "orders/1"), "there is no file 'orders/1'"),
        (("--order", "x.json", "--topic", "orders/payd"), "no topic of an order, a parcel or a refund; did you mean"),
        (("--order", "#1001", "--topic", "orders/paid"), "goes with a file, or with standard input"),
        (("--topic", "orders/paid"), "goes with --order"),
        (("--order", "x.json", "--sample", "bare"), "exclude each other"),
        (("--open",), "goes with --html"),
        (("--window", "ajar"), "'ajar' is not one of"),
        (("--html", "no/such/directory.html"), "No such file or directory"),
    ],
)
def test_wrong_usage_says_what_to_write(tmp_path: Path, arguments: tuple[str, ...], why: str) -> None:
    ended = preview(tmp_path, *arguments)

    assert (ended.exit_code, ended.output) == (2, "")
    assert why in " ".join(ended.errors.split())


def test_a_sample_that_there_is_not_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    ended = preview(tmp_path, "--sample", "tiny")

    assert (ended.exit_code, ended.errors) == (
        1,
        "order_confirmation: there is no sample 'tiny', but everyday, long, bare\n",
    )
    assert [one["message"] for one in listed(tmp_path, "--sample", "delivered", text=CONVERSATION)] == [
        "order_status",
        "order_delivered",
    ]
