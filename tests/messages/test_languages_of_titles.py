"""The titles of quick replies, in the language of the text above them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from shopbot.messages.locales import closest_language, locale_chain
from shopbot.rules.phrases import Phrases
from shopbot.testing.orders import paid_order
from support.command_line import shopbot
from support.conversation import CONFIG, EXAMPLE, ended, talking_shop, tell

PSID = "7312345678901234"
SHOWN: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
TITLES: dict[str, str] = SHOWN["messages"]["order_confirmation"]["quick_replies"][0]["title"]
[QUESTION] = [rule for rule in SHOWN["rules"] if rule["name"] == "where_is_my_order"]


@pytest.mark.parametrize(
    ("customer", "shop", "chosen"),
    [
        ("de", "en", "de"),
        ("de-AT", "en", "de"),
        ("pt", "en", "pt_BR"),
        ("pt-PT", "en", "pt_BR"),
        ("pt-BR", "en", "pt_BR"),
        ("nl", "de", "de"),
        ("nl", "it", "en"),
        (None, "it", "en"),
    ],
)
def test_the_closest_language_is_chosen_and_else_the_first(customer: str | None, shop: str, chosen: str) -> None:
    assert closest_language(["en", "de", "pt_BR"], locale_chain(customer, shop)) == chosen


@pytest.mark.parametrize(("customer", "chosen"), [("pt-BR", "pt_BR"), ("pt_PT", "pt_PT"), ("pt", "pt_PT")])
def test_of_two_kinds_of_a_language_the_shopper_gets_their_own(customer: str, chosen: str) -> None:
    assert closest_language(["en", "pt_PT", "pt_BR"], locale_chain(customer, "en")) == chosen


def test_a_kind_of_a_language_may_name_its_script_as_well() -> None:
    assert closest_language(["en", "zh_Hant_TW"], locale_chain("zh-CN", "en")) == "zh_Hant_TW"


def test_the_example_has_a_title_in_every_language_that_comes_with_shopbot() -> None:
    assert list(TITLES) == ["en", "de", "fr", "es", "pt_BR", "ar"]


@pytest.mark.parametrize("language", TITLES)
def test_who_types_what_the_button_says_is_understood_in_that_language(language: str) -> None:
    phrases = Phrases(QUESTION["when"]["text_matches"])

    assert phrases.match(TITLES[language]) == (True, language)


async def test_the_button_speaks_the_language_of_the_order_and_answers_in_it(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        for number, (language, title) in enumerate(TITLES.items(), start=1001):
            shopper = f"{PSID}{number}"
            await ended(shop, await shop.messenger.say(shopper, "👋"))
            body = paid_order(order_id=number, number=number, psid=shopper, locale=language.replace("_", "-"))
            await tell(shop, "orders/paid", body)
            confirmation = shop.messenger.sent_to(shopper)[-1]
            assert confirmation.quick_replies == [(title, "ORDER_STATUS")]

            await ended(shop, await shop.messenger.tap(shopper, "ORDER_STATUS", title))
            tapped = shop.messenger.sent_to(shopper)[-1].text
            await ended(shop, await shop.messenger.say(shopper, title))
            typed = shop.messenger.sent_to(shopper)[-1].text

            assert tapped == typed
            assert f"#{number}" in tapped


def previewed(directory: Path, title: str, *, locale: str, text: str = "order_confirmation.txt.j2") -> str:
    """Give the title of the quick reply, as `shopbot preview` shows it."""
    head, found, rest = CONFIG.partition("        title:\n")
    rest = rest[re.match(r"(?: {10}.*\n)+", rest).end() :]  # type: ignore[union-attr]
    assert found
    config = f"{head}        title: {title}\n{rest}".replace("text: order_confirmation.txt.j2", f"text: {text}")
    (directory / "shopbot.yaml").write_text(config, encoding="utf-8")
    secrets = dict.fromkeys(re.findall(r"\$\{(\w+)\}", config), "https://example.com")
    command = ("preview", "order_confirmation", "--locale", locale, "--window", "open", "--json")
    ended = shopbot(*command, directory=directory, environ=secrets)
    assert ended.exit_code == 0, ended.errors
    [made] = json.loads(ended.output)
    [reply] = made["quick_replies"]
    return str(reply["title"])


def test_a_title_is_a_template_in_every_language(tmp_path: Path) -> None:
    titles = '{en: "{{ order.total | money }}", de: "{{ order.total | money }} gezahlt"}'

    assert previewed(tmp_path, titles, locale="de") == "42,50 € gezahlt"
    assert previewed(tmp_path, titles, locale="en") == "€42.50"


def test_a_text_in_the_shops_language_has_a_title_in_that_language(tmp_path: Path) -> None:
    """Half a message in another language would be worse than all of it in the shop's."""
    assert previewed(tmp_path, "{de: Wo, en: Where}", locale="de", text="Thank you!") == "Where"


def test_whoever_reads_the_shops_text_has_the_shops_title(tmp_path: Path) -> None:
    assert previewed(tmp_path, "{de: Wo, en: Where}", locale="nl") == "Where"
    assert previewed(tmp_path, "{de: Wo, fr: Où}", locale="nl") == "Wo"
