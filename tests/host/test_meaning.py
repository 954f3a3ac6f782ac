"""What a configuration means: what is well meant is not warned of, and what is not known is not judged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from shopbot.host.blueprint import check_config
from shopbot.host.examinations.promotion import WORDS, promotional

HEAD = """\
shop: {domain: acme.myshopify.com, name: Acme}
verify:
  - {use: shopify_hmac, secrets: [not-a-real-secret]}
  - {use: messenger_hmac, app_secret: not-a-real-secret, verify_token: hello}
resolvers: [{use: note_attributes}]
senders: [{use: messenger, page_id: "1", access_token: not-a-real-token}]
"""
MESSAGES = """\
messages:
  news: {text: News, utility_template: none}
  other: {text: Other, utility_template: none}
  answer: {tag: order_answer, text: Answer}
  status: {tag: order_answer, text: "{{ orders | length }} orders"}
"""


def findings(directory: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Check a configuration and give what is said of it, without places."""
    path = directory / "shopbot.yaml"
    path.write_text(text, encoding="utf-8")
    problems = [str(problem).partition("shopbot.yaml")[2] for problem in check_config(path, environ or {}).problems]
    return [re.sub(r"^(:\d+)*: ", "", problem) for problem in problems]


def rules(*entries: str) -> str:
    return "rules:\n" + "".join(f"  - {{name: r{number}, {entry}}}\n" for number, entry in enumerate(entries))


SEND = "steps: [resolve_psid, {send_message: news}]"


@pytest.mark.parametrize(
    "entries",
    [
        # Filters that exclude each other.
        (
            f"on: orders/updated, when: {{financial_status: paid}}, once_per: order, {SEND}",
            f"on: orders/updated, when: {{financial_status: refunded}}, once_per: order, {SEND}",
        ),
        (
            f"on: orders/updated, when: {{test: true}}, once_per: order, {SEND}",
            f"on: orders/updated, when: {{test: false}}, once_per: order, {SEND}",
        ),
        # Conditions of which nobody can say whether they do.
        (
            f"on: orders/paid, if: order.total.amount > 50, once_per: order, {SEND}",
            f"on: orders/paid, if: order.total.amount <= 50, once_per: order, {SEND}",
        ),
        # The same message for other things.
        (
            f"on: orders/paid, once_per: order, {SEND}",
            "on: refunds/create, once_per: refund, steps: [update_order_reference, {send_message: news}]",
        ),
        # Another message for the same thing.
        (
            f"on: orders/paid, once_per: order, {SEND}",
            "on: orders/paid, once_per: order, steps: [resolve_psid, {send_message: other}]",
        ),
        # Two ways to ask.
        (
            "on: messenger/message, when: {text_matches: hello}, steps: [{send_message: answer}]",
            "on: messenger/message, when: {payload: HELLO}, steps: [{send_message: answer}]",
        ),
        (
            "on: messenger/message, when: {text_matches: help}, if: text == 'help', steps: [{send_message: answer}]",
            "on: messenger/message, when: {text_matches: help}, if: text != 'help', steps: [{send_message: status}]",
        ),
        # By how many orders there are.
        ("on: messenger/message, steps: [find_orders, {send_message: {one: status, none: answer}}]",),
        # Only keeps track.
        ("on: [orders/updated, fulfillments/create, refunds/create], steps: [update_order_reference]",),
        # A topic that a plugin may bring.
        ("on: warehouse/packed, steps: [opt_out]",),
    ],
)
def test_what_is_well_meant_is_not_warned_of(tmp_path: Path, entries: tuple[str, ...]) -> None:
    found = findings(tmp_path, HEAD + rules(*entries) + MESSAGES)

    assert [finding for finding in found if "opt_out" not in finding] == []


class TestTheWindow:
    RULE = rules(f"on: orders/paid, {SEND}")

    @pytest.mark.parametrize(
        "message",
        ["utility_template: none", "utility_template: {name: news}", "on_limit: drop"],
    )
    def test_a_decision_is_respected(self, tmp_path: Path, message: str) -> None:
        assert findings(tmp_path, HEAD + self.RULE + f"messages: {{news: {{text: News, {message}}}}}\n") == []

    def test_a_sender_without_a_window_has_nothing_outside_of_it(self, tmp_path: Path) -> None:
        head = HEAD.replace('{use: messenger, page_id: "1", access_token: not-a-real-token}', "{use: console}")

        assert findings(tmp_path, head + self.RULE + "messages: {news: {text: News}}\n") == []

    def test_a_message_that_no_rule_sends_goes_nowhere(self, tmp_path: Path) -> None:
        assert findings(tmp_path, HEAD + "messages: {news: {text: News}}\n") == []


class TestTextsThatWereMeantToBeFilledIn:
    RULE = rules(f"on: orders/paid, once_per: order, {SEND}")

    def found(self, directory: Path, text: str) -> list[str]:
        message = f"messages: {{news: {{text: {text}, utility_template: none}}}}\n"
        return findings(directory, HEAD + self.RULE + message)

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("order_confirmation", "; did you mean 'order_confirmation.txt.j2'?"),
            ("order_confirmation.txt", "; did you mean 'order_confirmation.txt.j2'?"),
            ("own/news.html", ""),
        ],
    )
    def test_the_name_of_a_file_is_no_text(self, tmp_path: Path, text: str, hint: str) -> None:
        assert self.found(tmp_path, text) == [
            f"'{text}' would be sent as it stands: the name of a template file ends in .j2{hint}"
        ]

    @pytest.mark.parametrize("text", ["Thanks", "Thanks.", "acme.example/orders", "../news", '"{{ order.name }}"'])
    def test_one_word_may_be_a_text(self, tmp_path: Path, text: str) -> None:
        assert self.found(tmp_path, text) == []

    @pytest.mark.parametrize("written", ["{order.name}", "{ order.name }}", "{order.name | upper}"])
    def test_single_braces_fill_nothing_in(self, tmp_path: Path, written: str) -> None:
        inside = written.strip("{} ")

        assert self.found(tmp_path, f'"Hello!\\n{{{{ order.name }}}} {written}"') == [
            f"warning: messages.news.text:2: '{written}' is sent as it stands: write {{{{ {inside} }}}}"
        ]

    def test_nor_do_they_in_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "templates").mkdir()
        (tmp_path / "templates/news.txt.j2").write_text("News\n{# {order} #}{customer.first_name}\n", encoding="utf-8")

        assert self.found(tmp_path, "news.txt.j2") == [
            "warning: news.txt.j2:2: '{customer.first_name}' is sent as it stands: write {{ customer.first_name }}"
        ]

    @pytest.mark.parametrize(
        "text", ['"{{ {order.name: 1} | length }}"', '"{orders, please} {1} {} {% if order %}x{% endif %}"']
    )
    def test_other_braces_are_left_alone(self, tmp_path: Path, text: str) -> None:
        assert self.found(tmp_path, text) == []


class TestWhatIsNotKnown:
    """A part with a mistake of its own leads to no further remarks about what it would have brought."""

    RULE = rules("on: messenger/message, when: {payload: HI}, steps: [{send_message: answer}]")

    def test_a_verifier_that_is_missing_may_vouch_for_anything(self, tmp_path: Path) -> None:
        head = HEAD.replace("use: messenger_hmac, app_secret", "use: messenger_hmca, app_secret")

        [finding] = findings(tmp_path, head + self.RULE + MESSAGES)

        assert finding.startswith("no plugin named 'messenger_hmca'")

    def test_so_may_an_entry_that_cannot_be_read(self, tmp_path: Path) -> None:
        head = HEAD.replace("{use: messenger_hmac, app_secret", "{app_secret")

        assert findings(tmp_path, head + self.RULE + MESSAGES) == ["verify[1] has no 'use'"]

    def test_a_step_that_is_misspelt_may_have_found_the_shopper(self, tmp_path: Path) -> None:
        rule = rules("on: orders/paid, steps: [resolve_psdi, {send_message: news}]")

        [finding] = findings(tmp_path, HEAD + rule + MESSAGES)

        assert finding.startswith("no step named 'resolve_psdi'")

    def test_a_message_with_a_mistake_may_be_meant_to_wait(self, tmp_path: Path) -> None:
        messages = "messages: {news: {text: News, limit: 1 per day, utility_template: none}}\n"

        [finding] = findings(tmp_path, HEAD + rules(f"on: orders/paid, {SEND}") + messages)

        assert finding.startswith("messages.news.limit: expected a limit")

    def test_a_rule_with_a_mistake_may_listen_to_polled_orders(self, tmp_path: Path) -> None:
        poller = "pollers: [{use: shopify_orders, access_token: not-a-real-token}]\n"

        [finding] = findings(tmp_path, HEAD + poller + rules("on: orders/updated") + MESSAGES)

        assert finding == "rules[0] has no 'steps'"

    def test_a_state_that_is_misspelt_is_named_once(self, tmp_path: Path) -> None:
        rule = rules(f"on: [orders/paid, orders/updated], when: {{financial_status: payed}}, once_per: order, {SEND}")

        [finding] = findings(tmp_path, HEAD + rule + MESSAGES)

        assert finding.startswith("warning: 'payed' is no financial_status that shopbot knows")

    def test_a_topic_that_is_misspelt_is_named_once(self, tmp_path: Path) -> None:
        rule = rules(f"on: orders/piad, when: {{financial_status: paid}}, once_per: order, {SEND}")

        [finding] = findings(tmp_path, HEAD + rule + MESSAGES)

        assert finding.startswith("warning: 'orders/piad' is no topic that shopbot knows")


class TestWhatCameFromTheEnvironment:
    def test_is_shown_neither_whole_nor_in_parts(self, tmp_path: Path) -> None:
        text = (
            HEAD + "messages: {news: {text: '{{ order.${TEXT} }}', utility_template: {name: n, body: 'A ${TEXT}.'}}}\n"
        )

        found = findings(tmp_path, text, {"TEXT": "sale-of-the-century"})

        assert "the value of ${TEXT} does not do here; why is not shown, because it came from the environment" in found
        assert not [finding for finding in found if "sale" in finding or "century" in finding]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("carts: [{use: '${NAME}'}]\n", "no plugin named '${…}'; installed: "),
            ("rules: [{name: r, on: orders/paid, steps: ['${NAME}']}]\n", "no step named '${…}'; there are: "),
            (
                "rules: [{name: r, on: messenger/message, steps: [{send_message: '${NAME}'}]}]\n",
                "no message named '${…}' under `messages:`; there are: none",
            ),
        ],
    )
    def test_is_left_out_where_it_names_what_is_not_there(self, tmp_path: Path, text: str, problem: str) -> None:
        [finding] = findings(tmp_path, HEAD + text, {"NAME": "hunter2"})

        assert finding.startswith(problem)

    def test_is_left_out_where_it_is_quoted_elsewhere(self, tmp_path: Path) -> None:
        text = (
            HEAD.replace("name: Acme", "name: '${NAME}'")
            + "rules: [{name: r, on: checkouts/create, steps: [opt_in]}]\n"
        )

        [finding] = findings(tmp_path, text, {"NAME": "checkouts"})

        assert finding.startswith("the step 'opt_in' works on what a shopper does in Messenger, and ${…}/create brings")


class TestPromotion:
    @pytest.mark.parametrize(
        ("text", "language", "words"),
        [
            ("Your order {{1}} is confirmed.", "en", []),
            ("The wholesaler offered no salesman a dealership.", "en", []),
            ("SALE! Don\u2019t miss it.", "en_US", ["sale", "don't miss"]),
            ("A special offer for you", "en", ["special offer"]),
            ("Ein Angebot", "de", ["angebot"]),
            ("Ein Angebot", "nl", []),
            ("Het is Black Friday", "nl", ["black friday"]),
            ("Última oportunidad", "es", ["última oportunidad"]),
        ],
    )
    def test_whole_words_of_the_texts_language_count(self, text: str, language: str, words: list[str]) -> None:
        assert promotional(text, language) == words

    def test_the_list_is_in_the_manual(self) -> None:
        page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")

        for words in WORDS.values():
            for word in words:
                assert word in page
