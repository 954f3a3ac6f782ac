"""Who writes a stop word gets answers to what they ask, and nothing else, until they write a start word."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopbot.testing.messenger import Fault
from shopbot.testing.orders import paid_order
from support.conversation import CONFIG, ended, fulfillment, talking_shop, tell

PSID = "7312345678901234"
ORDER_ID = 830_517_264_905_318_211
STOPPED = "OK, no more messages from us, but answers to what you ask.\nWrite START to get news about your orders again."
STARTED = "Welcome back! You get news about your orders again.\nWrite STOP at any time to end them."


async def test_after_a_stop_word_nothing_is_sent_but_answers_and_after_a_start_word_everything(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        await tell(shop, "orders/paid", paid_order(psid=PSID))
        await ended(shop, await shop.messenger.say(PSID, "STOP"))
        record = await tell(shop, "fulfillments/create", fulfillment(ORDER_ID))
        other = await tell(shop, "orders/paid", paid_order(order_id=2, psid=PSID))
        await ended(shop, await shop.messenger.say(PSID, "Where's my order #1234?"))
        await ended(shop, await shop.messenger.say(PSID, "Start!"))
        await tell(shop, "fulfillments/create", fulfillment(ORDER_ID, fulfillment_id=2))
        texts = [message.text for message in shop.messenger.sent_to(PSID)]

    assert [entry.reason for entry in record.journal if entry.step == "2:send_message"] == ["OPTED_OUT"]
    assert (other.status, other.reason) == ("skipped", "OPTED_OUT")
    assert texts[1] == STOPPED
    assert texts[2].startswith(("Which order", "Order #1234"))
    assert texts[3] == STARTED
    assert texts[4].startswith("Your order #1234 is on its way!")
    assert len(texts) == 5


STOPS = {
    "stop": STOPPED,
    "Stop.": STOPPED,
    "UNSUBSCRIBE!": STOPPED,
    "Stopp": "In Ordnung: Wir schreiben dir nicht mehr",
    "abmelden": "In Ordnung: Wir schreiben dir nicht mehr",
    "arrêt": "C'est noté",
    "parar": "De acuerdo",
    "sair": "Certo",
    "توقف": "حسنًا",
}
STARTS = {
    "START": STARTED,
    "weiter": "Willkommen zurück!",
    "Reprendre": "Bon retour",
    "reanudar": "¡Hola de nuevo!",
    "voltar": "Que bom ter você de volta!",
    "ابدأ": "أهلًا بعودتك!",
}


async def test_the_words_are_known_in_every_language(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        for words in (STOPS, STARTS):
            for word, answer in words.items():
                await ended(shop, await shop.messenger.say(PSID, word))
                assert shop.messenger.sent_to(PSID)[-1].text.startswith(answer), word


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "pt-BR", "ar"])
async def test_the_word_that_an_answer_names_does_what_it_says(tmp_path: Path, language: str) -> None:
    """Else the shopper could not get back."""
    word = {"en": "stop", "de": "stopp", "fr": "arrêt", "es": "parar", "pt-BR": "sair", "ar": "توقف"}[language]
    async with talking_shop(tmp_path) as shop:
        await ended(shop, await shop.messenger.say(PSID, word))
        stopped = shop.messenger.sent_to(PSID)[-1].text
        starts = [word for word in STARTS if word.casefold() in stopped.casefold()]
        assert len(starts) == 1, stopped
        await ended(shop, await shop.messenger.say(PSID, starts[0]))
        started = shop.messenger.sent_to(PSID)[-1].text

        assert started.startswith(STARTS[starts[0]])
        assert any(word.casefold() in started.casefold() for word in STOPS)


async def test_a_stop_word_inside_a_sentence_stops_nothing(tmp_path: Path) -> None:
    async with talking_shop(tmp_path) as shop:
        for text in ("Can you stop by the shop?", "Where is the bus stop", "don't stop", "start my order"):
            await ended(shop, await shop.messenger.say(PSID, text))

        assert not [key async for key in shop.store.scan_iter(shop.keys.opted_out("*"))]


async def test_a_message_that_waits_is_not_sent_after_a_stop_word(tmp_path: Path) -> None:
    """It is asked at the moment of sending, not when the event came."""
    config = CONFIG.replace("first: 50ms", "first: 1s")
    async with talking_shop(tmp_path, config=config) as shop:
        await ended(shop, await shop.messenger.say(PSID, "Hello"))
        shop.messenger.inject(Fault.error(1200).to(PSID))
        waiting = await shop.post("orders/paid", paid_order(psid=PSID))
        await shop.messenger.wait_for_requests(1)
        await ended(shop, await shop.messenger.say(PSID, "stop"))
        record = await shop.finished(waiting)

        assert (record.status, record.reason) == ("skipped", "OPTED_OUT")
        assert [message.text for message in shop.messenger.sent_to(PSID)] == [STOPPED]


async def test_a_message_for_any_text_is_not_an_answer_to_who_wants_none(tmp_path: Path) -> None:
    """Only what the shopper asked for in so many words goes out."""
    greeting = "  - {name: greeting, on: messenger/message, steps: [{send_message: hello}]}\n"
    hello = "  hello: {tag: order_answer, text: Hello to you}\n"
    config = CONFIG.replace("\nmessages:\n", f"\n{greeting}\nmessages:\n{hello}", 1)
    async with talking_shop(tmp_path, config=config) as shop:
        await ended(shop, await shop.messenger.say(PSID, "Hello"))
        await ended(shop, await shop.messenger.say(PSID, "stop"))
        await ended(shop, await shop.messenger.say(PSID, "Hello"))

        assert [message.text for message in shop.messenger.sent_to(PSID)] == ["Hello to you", STOPPED]
