"""The OpenAPI document: true to the routes, and held against every answer that made-up requests get."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from shopbot.testing.host import CONFIG
from shopbot.web.openapi import document
from support.api_client import ApiClient
from support.checkout_shop import PERMALINK, checkout_config, checkout_shop
from support.shop_runner import running_shop

KEY = "key-of-the-bot-0123456789"
DOCUMENT = document()


async def test_it_is_served_to_anybody_as_long_as_there_is_an_api(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path) as shop:
        answer = await shop.shop.http.get("/openapi.json")

        assert answer.status_code == 200
        assert answer.json() == DOCUMENT


def test_every_reference_leads_somewhere() -> None:
    references = re.findall(r"'\$ref': '#/components/schemas/(\w+)'", repr(DOCUMENT))

    assert references
    assert set(references) == set(DOCUMENT["components"]["schemas"]) | set(references)
    assert set(references) <= set(DOCUMENT["components"]["schemas"])


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_has_a_name_a_summary_and_its_errors() -> None:
    operations = [
        operation for path in DOCUMENT["paths"].values() for method, operation in path.items() if method != "parameters"
    ]

    assert len({operation["operationId"] for operation in operations}) == len(operations) == 7
    for operation in operations:
        assert operation["summary"]
        assert {"401", "503"} <= set(operation["responses"])


async def test_its_routes_are_the_host_s(tmp_path: Path) -> None:
    async with checkout_shop(tmp_path) as shop:
        for path, operations in DOCUMENT["paths"].items():
            real = path.replace("{psid}", "1").replace("{variant_id}", "1")
            for method in ("GET", "PUT", "POST", "PATCH", "DELETE"):
                status = (await shop.shop.http.request(method, real)).status_code
                assert status == (401 if method.lower() in operations else 405), (method, path)


def test_its_models_are_described_field_by_field() -> None:
    for name in ("CheckoutIn", "CheckoutOut"):
        properties: dict[str, Any] = DOCUMENT["components"]["schemas"][name]["properties"]
        assert all(described.get("description") for described in properties.values())


numbers = st.integers(-2, 300) | st.sampled_from([0, 2**53, 2**63 - 1, 2**63, 10**30])
scalars = st.none() | st.booleans() | numbers | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
quantity, variant = numbers | scalars, st.integers(1, 5) | numbers.map(str) | scalars
items = st.fixed_dictionaries(
    {"variant_id": variant, "quantity": quantity}, optional={"title": scalars, "other": scalars}
)
psids = st.sampled_from(["1", "7312345678901234"]) | st.from_regex(r"\A[0-9a-zA-Z_-]{1,34}\Z")
bodies: Any = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner), max_leaves=5
)
requests = (
    st.tuples(
        st.just("POST"),
        st.just("/checkouts"),
        st.fixed_dictionaries({"psid": psids | scalars}, optional={"lines": st.lists(items, max_size=4)}) | bodies,
    )
    | st.tuples(st.sampled_from(["GET", "DELETE"]), psids.map("/carts/{}".format), st.none())
    | st.tuples(
        st.just("PUT"),
        psids.map("/carts/{}".format),
        st.fixed_dictionaries({"items": st.lists(items, max_size=5)}) | bodies,
    )
    | st.tuples(st.just("POST"), psids.map("/carts/{}/items".format), items | bodies)
    | st.tuples(
        st.sampled_from(["PATCH", "DELETE"]),
        st.builds("/carts/{}/items/{}".format, psids, st.integers(-1, 6)),
        st.fixed_dictionaries({"quantity": quantity}) | bodies,
    )
)


def test_every_answer_to_any_sequence_of_requests_is_as_described(tmp_path: Path) -> None:
    """No 5xx, nothing that the document does not name, every body of its schema."""
    config = checkout_config(PERMALINK).replace("  - {use: shopify_cart", "  # - {use: shopify_cart")
    assert CONFIG.splitlines()[0] in config
    with running_shop(tmp_path, config=config) as runner:

        async def ask(sequence: list[tuple[str, str, object]]) -> None:
            client = ApiClient(runner.shop.http)
            for method, path, body in sequence:
                answer = await client.ask(method, path, body, {"Authorization": f"Bearer {KEY}"})
                assert answer.status_code < 500, (method, path, body, answer.text)

        @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
        @given(sequence=st.lists(requests, min_size=1, max_size=6))
        def requests_of_a_client(sequence: list[tuple[str, str, object]]) -> None:
            runner.run(ask(sequence))

        requests_of_a_client()
