from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from shopbot.config.loader import read_text
from shopbot.config.message import DEAD_TAGS, Limit
from shopbot.config.plugin_entry import PluginEntry
from shopbot.config.settings import Settings, StoreAddress

SHOP = "shop: {domain: acme.myshopify.com, name: Acme}\n"


def settings(text: str = "") -> Settings:
    return read_text(SHOP + text, "f", {}).checked()


def complaints(text: str) -> list[str]:
    """The problems of a text behind a valid shop, counted from the text's own first line."""
    found = read_text(SHOP + text, "f", {}).problems
    return [f"{(problem.line or 0) - 1}:{problem.column}: {problem.message}" for problem in found]


def test_the_smallest_file_has_every_default() -> None:
    smallest = settings()

    assert smallest.shop.locale == "en"
    assert smallest.shop.timezone == "UTC"
    assert smallest.shop.delivery.business_days == 3
    assert smallest.store.embedded
    assert (smallest.data_dir, smallest.plugins_dir) == (Path("data"), Path("plugins.d"))
    assert smallest.templates_dir == Path("templates")
    assert smallest.ttl.model_dump() == {
        "checkout_token": timedelta(hours=24),
        "checkout_token_lookup": timedelta(hours=24),
        "order_reference": timedelta(days=365),
        "webhook_id": timedelta(hours=48),
        "journal": timedelta(days=30),
        "cart": timedelta(days=30),
        "conversation": timedelta(days=400),
        "dead_letter": None,
        "export": timedelta(days=30),
    }
    assert smallest.retry.model_dump() == {
        "attempts": 8,
        "first": timedelta(seconds=2),
        "factor": 4.0,
        "max": timedelta(hours=1),
    }
    assert smallest.web.max_body_bytes == 5_000_000
    assert smallest.web.request_time_limit == timedelta(seconds=5)
    assert smallest.web.api_keys == ()
    assert (smallest.worker.concurrency, smallest.worker.lease) == (128, timedelta(seconds=10))
    assert (smallest.log.format, smallest.log.level) == ("auto", "info")
    assert smallest.rules == ()
    assert smallest.verify == smallest.plugins == ()
    assert smallest.messages == {}


def test_settings_cannot_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings().store = StoreAddress("embedded")  # type: ignore[misc]


def models(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = {model}
    queue: list[object] = [field.annotation for field in model.model_fields.values()]
    while queue:
        annotation = queue.pop()
        queue += get_args(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found |= models(annotation)
    return found


def test_every_field_has_a_description_that_is_a_sentence() -> None:
    for model in models(Settings):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name} has no description"
            assert field.description.endswith("."), f"{model.__name__}.{name}: {field.description}"


def test_the_schema_is_for_editors() -> None:
    schema = Settings.model_json_schema()

    assert schema["additionalProperties"] is False
    assert schema["properties"]["ttl"]["default"]["order_reference"] == "365d"
    assert schema["$defs"]["RetrySettings"]["properties"]["first"]["default"] == "2s"
    assert schema["$defs"]["PluginEntry"]["additionalProperties"] is True
    assert set(schema["$defs"]["PluginEntry"]["properties"]) == {"use", "time_limit"}
    assert set(schema["$defs"]["RuleSettings"]["properties"]) >= {"on", "if"}


# shop


DOMAIN = "expected the shop's own hostname in lower case, such as acme.myshopify.com, got the text"


@pytest.mark.parametrize(
    ("domain", "hint"),
    [
        ("Acme.myshopify.com", "; did you mean 'acme.myshopify.com'?"),
        ("https://acme.myshopify.com/admin", "; did you mean 'acme.myshopify.com'?"),
        ("acme", "; did you mean 'acme.myshopify.com'?"),
        ("www.acme.com", "; the admin shows it under Settings, Domains"),
        ("acme.myshopify.com.evil.example", "; the admin shows it under Settings, Domains"),
        ("-acme.myshopify.com", "; the admin shows it under Settings, Domains"),
    ],
)
def test_the_domain_is_the_one_that_webhooks_name(domain: str, hint: str) -> None:
    problems = read_text(f"shop: {{domain: '{domain}', name: Acme}}", "f", {}).problems

    assert [str(problem) for problem in problems] == [f"f:1:16: shop.domain: {DOMAIN} '{domain}'{hint}"]


@pytest.mark.parametrize(
    ("locale", "hint"),
    [
        ("klingon", ""),
        ("english", "; did you mean 'en'?"),
        ("German", "; did you mean 'de'?"),
        ("en_QQ", ""),
        ("de-AUT", "; did you mean 'de_AT'?"),
        ("en.UTF-8", ""),
        ("../../en", ""),
    ],
)
def test_unknown_locales_are_refused(locale: str, hint: str) -> None:
    problems = read_text(f"shop: {{domain: acme.myshopify.com, name: A, locale: '{locale}'}}", "f", {}).problems

    assert [problem.message for problem in problems] == [
        f"shop.locale: expected a locale such as en, de or pt_BR, got the text '{locale}'{hint}"
    ]


@pytest.mark.parametrize(("locale", "parsed"), [("pt-BR", "pt_BR"), ("de", "de"), ("en_us", "en_US"), ("'no'", "no")])
def test_locales_are_kept_in_one_spelling(locale: str, parsed: str) -> None:
    text = f"shop: {{domain: acme.myshopify.com, name: A, locale: {locale}}}"

    assert read_text(text, "f", {}).checked().shop.locale == parsed


@pytest.mark.parametrize(
    ("timezone", "hint"),
    [
        ("Berlin", "; did you mean 'Europe/Berlin'?"),
        ("new york", "; did you mean 'America/New_York'?"),
        ("Europe/Berln", "; did you mean 'Europe/Berlin'?"),
        ("Europe", ""),
        ("../etc/passwd", ""),
        ("", ""),
    ],
)
def test_unknown_time_zones_are_refused_with_the_one_that_was_meant(timezone: str, hint: str) -> None:
    text = f"shop: {{domain: acme.myshopify.com, name: A, timezone: '{timezone}'}}"
    shown = f"the text '{timezone}'" if timezone else "an empty text"

    problem = read_text(text, "f", {}).problems[0].message
    assert problem.startswith(f"shop.timezone: expected a time zone such as Europe/Berlin or UTC, got {shown}")
    assert problem.endswith(hint)


@pytest.mark.parametrize(
    ("country", "code"), [("de", "DE"), ("Germany", "DE"), ("UK", "GB"), ("united kingdom", "GB"), ("USA", "US")]
)
def test_a_country_may_be_known_by_another_name(country: str, code: str) -> None:
    text = f"shop: {{domain: acme.myshopify.com, name: A, delivery: {{country: {country}}}}}"

    [problem] = read_text(text, "f", {}).problems
    assert problem.message.endswith(f", got the text '{country}'; did you mean '{code}'?")


@pytest.mark.parametrize(
    ("delivery", "problem"),
    [
        ("{country: de}", "expected a country whose holidays are known"),
        ("{country: DE, subdivision: XX}", "expected a subdivision of DE, got the text 'XX'; known: BB, BE"),
        ("{subdivision: BY}", "expected a country beside the subdivision"),
        ("{business_days: -1}", "expected at least 0, got -1"),
        ("{business_days: 2.5}", "expected a whole number, got 2.5"),
    ],
)
def test_delivery_is_checked(delivery: str, problem: str) -> None:
    text = f"shop: {{domain: acme.myshopify.com, name: A, delivery: {delivery}}}"
    messages = [found.message for found in read_text(text, "f", {}).problems]

    assert len(messages) == 1
    assert problem in messages[0]


def test_a_subdivision_goes_with_its_country() -> None:
    text = "shop: {domain: acme.myshopify.com, name: A, delivery: {country: DE, subdivision: BY}}"

    assert read_text(text, "f", {}).checked().shop.delivery.subdivision == "BY"


@pytest.mark.parametrize("prefix", ["acme", "acme:bot:", "ac me:", ":", "a" * 65 + ":"])
def test_a_prefix_of_keys_that_would_blur_into_them_is_refused(prefix: str) -> None:
    text = f"shop: {{domain: acme.myshopify.com, name: A, key_prefix: '{prefix}'}}"
    (problem,) = read_text(text, "f", {}).problems

    assert problem.message.startswith("shop.key_prefix: expected a prefix of letters, digits, '_' and '-' that ends")


# store


@pytest.mark.parametrize(
    "address",
    [
        "embedded",
        "redis://localhost:6379/0",
        "rediss://user:pass@host:6380/1?ssl_cert_reqs=none",
        "unix:///run/valkey.sock",
        "redis://[::1]:6379",
    ],
)
def test_store_addresses_are_kept_whole(address: str) -> None:
    assert settings(f"store: '{address}'").store.get_secret_value() == address


@pytest.mark.parametrize(
    "address",
    [
        "embeded",
        "localhost:6379",
        "http://host",
        "redis://",
        "redis://host:port",
        "redis://[::1",
        "unix://",
        "redis://a b",
    ],
)
def test_other_store_addresses_are_refused_without_being_shown(address: str) -> None:
    assert complaints(f"store: '{address}'") == [
        (
            "1:8: store: expected 'embedded' or a URL such as redis://host:6379/0, rediss://host:6379/0 or "
            "unix:///path/to/socket, got a text"
        )
    ]


@pytest.mark.parametrize(
    "address",
    [
        "redis://:hunter2@host/0?health_check_interval=hunter2",
        "redis://host/0?protocol=x",
        "redis://host/0?sokcet_timeout=5",
        "redis://host/0?ssl_cert_reqs=none",
        "rediss://host/0?ssl_cert_reqs=maybe",
    ],
)
def test_so_are_options_that_the_client_does_not_have(address: str) -> None:
    """It would say so at its first connection, in a traceback."""
    assert complaints(f"store: '{address}'") == [
        (
            "1:8: store: expected behind the '?' of the URL only options that redis-py has for it, "
            "with values that they can have"
        )
    ]


def test_a_database_is_a_number() -> None:
    """Of anything else redis-py makes database 0, where others may live."""
    assert complaints("store: redis://host/shopbot") == [
        "1:8: store: expected a number for the database behind the host's '/'"
    ]
    assert complaints("store: redis://host/") == []


@pytest.mark.parametrize("option", ["decode_responses=true", "encoding=latin-1", "encoding_errors=ignore"])
def test_what_is_read_of_the_store_is_not_for_the_address_to_say(option: str) -> None:
    assert complaints(f"store: 'redis://host/0?{option}'") == [
        (
            "1:8: store: expected behind the '?' of the URL no 'decode_responses', 'encoding' or 'encoding_errors', "
            "which are not for you to choose"
        )
    ]


def test_a_password_in_the_store_s_address_is_never_shown() -> None:
    loaded = settings("store: redis://user:hunter2@host:6379/0?password=hunter3")

    for shown in (repr(loaded), str(loaded.store), repr(loaded.model_dump()), loaded.model_dump_json()):
        assert "hunter" not in shown
        assert "redis://***@host:6379/0" in shown


# plugin lists


def test_everything_beside_use_and_time_limit_is_the_plugin_s_own() -> None:
    entry = settings("senders: [{use: messenger, time_limit: 10s, page_id: '1', settings: {x: 1}}]").senders[0]

    assert (entry.use, entry.time_limit) == ("messenger", timedelta(seconds=10))
    assert entry.settings == {"page_id": "1", "settings": {"x": 1}}


def test_a_plugin_s_settings_are_neither_shown_nor_dumped() -> None:
    loaded = settings("senders: [{use: messenger, access_token: hunter2}]")

    assert loaded.senders[0].settings == {"access_token": "hunter2"}
    for shown in (repr(loaded), repr(loaded.model_dump()), loaded.model_dump_json(), str(loaded.senders[0])):
        assert "hunter2" not in shown


def test_a_plugin_may_stand_twice() -> None:
    loaded = settings("carts: [{use: redis_cart, db: 0}, {use: redis_cart, db: 1}]")

    assert [entry.settings["db"] for entry in loaded.carts] == [0, 1]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("redis_cart", "1:9: carts[0]: expected 'use: NAME' and the plugin's settings, got the text 'redis_cart'"),
        ("{key: x}", "1:9: carts[0] has no 'use'"),
        ("{use: ''}", "1:15: carts[0].use: expected a text that is not empty, got an empty text"),
        (
            "{use: x, time_limit: 5}",
            "1:30: carts[0].time_limit: expected a duration such as 30s, 10m, 24h or 365d, got 5: say which unit",
        ),
    ],
)
def test_an_entry_needs_a_plugin(entry: str, problem: str) -> None:
    assert complaints(f"carts: [{entry}]") == [problem]


def test_usable_entries_are_given_even_when_other_parts_have_errors() -> None:
    loaded = read_text("carts: [{use: a, key: 1}, {key: 2}, x]\nsenders: {}\npollers: [{use: b}]\n", "f", {})

    assert loaded.settings is None
    assert [(path, entry.use) for path, entry in loaded.plugin_entries()] == [
        (("carts", 0), "a"),
        (("pollers", 0), "b"),
    ]


def test_an_entry_can_be_made_in_python() -> None:
    assert PluginEntry.model_validate({"use": "a", "key": 1}).settings == {"key": 1}


# web


def test_bearer_keys_are_kept_and_never_shown() -> None:
    loaded = settings("web: {api_keys: [hunter2-hunter2-hunter2]}")

    assert loaded.web.api_keys[0].get_secret_value() == "hunter2-hunter2-hunter2"
    for shown in (repr(loaded), repr(loaded.model_dump()), loaded.model_dump_json()):
        assert "hunter2" not in shown


# rules


def rule(**changes: str) -> str:
    fields = {"name": "first", "on": "orders/paid", "steps": "[send]", **changes}
    return "rules:\n  - " + "\n    ".join(f"{key}: {value}" for key, value in fields.items())


def test_a_single_value_stands_for_a_list_of_one() -> None:
    made = settings(rule(when="{financial_status: paid, source_name: [web, pos]}")).rules[0]

    assert made.on == ("orders/paid",)
    assert made.when.financial_status == ("paid",)
    assert made.when.source_name == ("web", "pos")
    assert made.when.cancelled is None


def test_steps_are_names_or_names_with_a_setting() -> None:
    made = settings(rule(steps="[resolve_psid, {send_message: order_confirmation}, {tag: {with: x}}]")).rules[0]

    assert made.plan == (("resolve_psid", None), ("send_message", "order_confirmation"), ("tag", {"with": "x"}))


def test_if_is_a_condition() -> None:
    assert settings(rule(**{"if": "order.total.amount > 50"})).rules[0].condition == "order.total.amount > 50"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"name": "Order confirmation"},
            (
                "2:11: rules[0].name: expected a name of lower-case letters, digits and '_' that starts with a letter, "
                "got the text 'Order confirmation'"
            ),
        ),
        (
            {"name": "a" * 101},
            f"2:11: rules[0].name: expected a name of at most 100 characters, got the text '{'a' * 59}…'",
        ),
        (
            {"on": "Orders/Paid"},
            (
                "3:9: rules[0].on: expected a topic such as orders/paid or messenger/message, got the text "
                "'Orders/Paid'; did you mean 'orders/paid'?"
            ),
        ),
        (
            {"on": "[orders/paid, paid]"},
            "3:23: rules[0].on[1]: expected a topic such as orders/paid or messenger/message, got the text 'paid'",
        ),
        (
            {"on": "orders/paid, orders/create"},
            (
                "3:9: rules[0].on: expected a topic such as orders/paid or messenger/message, got the text "
                "'orders/paid, orders/create'; several stand in a list: [orders/paid, orders/create]"
            ),
        ),
        ({"on": "[]"}, "3:9: rules[0].on: expected at least one entry, got none"),
        (
            {"on": "[orders/paid, orders/paid]"},
            "3:9: rules[0].on: expected a list without repetitions",
        ),
        ({"steps": "[]"}, "4:12: rules[0].steps: expected at least one entry, got none"),
        ({"steps": "send"}, "4:12: rules[0].steps: expected a list, got the text 'send'"),
        (
            {"steps": "[{send_message: x, clear_cart: y}]"},
            (
                "4:13: rules[0].steps[0]: expected a step: a name, or one 'name: setting', got a mapping with 2 keys; "
                "start each step with '- '"
            ),
        ),
        ({"steps": "[5]"}, "4:13: rules[0].steps[0]: expected a step: a name, or one 'name: setting', got 5"),
        (
            {"once_per": "orders"},
            (
                "5:15: rules[0].once_per: expected 'order', 'fulfillment', 'refund' or 'event', got the text 'orders'; "
                "did you mean 'order'?"
            ),
        ),
        (
            {"when": "{text_matches: [ok, '(']}"},
            (
                "5:31: rules[0].when.text_matches[1]: expected a regular expression, got the text '(': missing ), "
                "unterminated subpattern at position 0"
            ),
        ),
        (
            {"when": "{source_name: 755357713}"},
            '5:25: rules[0].when.source_name: expected text, got the number 755357713; put it in quotes: "755357713"',
        ),
        ({"when": "{cancelled: maybe}"}, "5:23: rules[0].when.cancelled: expected true or false, got the text 'maybe'"),
    ],
)
def test_rules_are_checked(change: dict[str, str], problem: str) -> None:
    assert complaints(rule(**change)) == [problem]


def test_rules_have_names_of_their_own() -> None:
    text = rule() + "\n  - {name: second, on: orders/paid, steps: [a]}\n  - {name: first, on: orders/paid, steps: [a]}"

    assert complaints(text) == [
        "6:12: rules[2].name: expected a name of its own, got the text 'first': rules[0] has the same"
    ]


# messages


@pytest.mark.parametrize("tag", sorted(DEAD_TAGS))
def test_dead_message_tags_are_refused_with_the_day_they_died(tag: str) -> None:
    assert complaints(f"messages: {{a: {{tag: {tag}, text: x}}}}") == [
        (
            "1:21: messages.a.tag: expected one of shopbot's own purposes, such as order_update, "
            f"got the text '{tag}': Messenger refuses that tag since 2026-04-27, so it can never be sent"
        )
    ]


@pytest.mark.parametrize(
    ("tag", "hint"),
    [
        ("ORDER_UPDATE", "; did you mean 'order_update'?"),
        ("order-update", "; did you mean 'order_update'?"),
        ("HUMAN_AGENT", ": Messenger allows that tag only for what a person typed"),
        ("promotion", ""),
    ],
)
def test_unknown_tags_are_refused(tag: str, hint: str) -> None:
    assert complaints(f"messages: {{a: {{tag: {tag}, text: x}}}}") == [
        (
            "1:21: messages.a.tag: expected 'order_update', 'shipping_update', 'payment_update' or 'order_answer', "
            f"got the text '{tag}'{hint}"
        )
    ]


def test_a_limit_is_a_number_and_a_period() -> None:
    made = settings("messages: {a: {text: x, limit: 3/week}}").messages["a"]

    assert made.limit == Limit(count=3, period=timedelta(weeks=1))
    assert str(made.limit) == "3/week"
    assert settings("messages: {a: {text: x}}").messages["a"].limit is None


@pytest.mark.parametrize("limit", ["1/days", "0/day", "1", "1 / day", "day"])
def test_other_limits_are_refused(limit: str) -> None:
    assert (
        "expected a limit such as 1/day, 3/week or 2/hour"
        in complaints(f"messages: {{a: {{text: x, limit: '{limit}'}}}}")[0]
    )


def test_a_message_has_a_text_and_a_name_like_a_word() -> None:
    assert complaints("messages:\n  Order-Paid: {text: x}\n  b: {tag: order_update}\n") == [
        (
            "2:3: messages: expected a name of lower-case letters, digits and '_' that starts with a letter, "
            "got 'Order-Paid'"
        ),
        "3:3: messages.b has no 'text'",
    ]


# numbers and limits


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("retry: {attempts: 0}", "1:19: retry.attempts: expected at least 1, got 0"),
        ("retry: {factor: .nan}", "1:17: retry.factor: expected a finite number, got .nan"),
        ("retry: {factor: .inf}", "1:17: retry.factor: expected a finite number, got .inf"),
        ("retry: {first: 2h}", "1:8: retry: expected 'max' to be no shorter than 'first'"),
        (
            "retry: {first: 2h, max: 1h}",
            "1:8: retry: expected 'max' to be no shorter than 'first'",
        ),
        ("ttl: {journal: 0s}", "1:16: ttl.journal: expected a duration longer than zero, got the text '0s'"),
        ("worker: {concurrency: x}", "1:23: worker.concurrency: expected a whole number, got the text 'x'"),
        ("log: {level: INFO}", "did you mean 'info'?"),
        (
            "log: {format: on}",
            (
                "1:15: log.format: expected 'auto', 'json' or 'console', got the boolean true, because YAML reads "
                "a bare `on` as true"
            ),
        ),
        ("web: {api_keys: [short]}", "1:18: web.api_keys[0]: expected a key of at least 16 characters, got a text"),
        ("web: {api_keys: [1234]}", "1:18: web.api_keys[0]: expected text, got a number; put it in quotes"),
        ("data_dir: [x]", "1:11: data_dir: expected text, got a list"),
        ("worker:", "1:8: worker: expected 'key: value' lines, got nothing"),
    ],
)
def test_values_are_checked(text: str, problem: str) -> None:
    assert len(complaints(text)) == 1
    assert problem in complaints(text)[0]
