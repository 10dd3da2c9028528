"""The interface does what its own document says, whatever it is sent."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from icehouse.service import Service, ServiceOptions, StationOptions, make_service
from icehouse.store import Store

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed"
)
ASK = settings(
    max_examples=int(os.environ.get("ICEHOUSE_EXAMPLES", "5")),
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def url(reviewed: Store, inside: Any) -> Iterator[str]:
    service = Service(reviewed, ServiceOptions(station=StationOptions(engine="torch")))
    yield inside(make_service(service)).url
    service.close()


@pytest.mark.filterwarnings("ignore")  # of the program that asks, not of ours
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_what_the_document_says_holds(url: str, mode: str) -> None:
    import schemathesis
    from schemathesis import checks

    schema = schemathesis.openapi.from_url(f"{url}/v1/openapi.json")
    held = [
        checks.not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    asked = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        asked.add(operation.path)
        try:
            strategy = operation.as_strategy(schemathesis.GenerationMode(mode))
        except Unsatisfiable:
            continue  # nothing that it is sent can be wrong

        @ASK
        @given(case=strategy)
        def ask(case: Any) -> None:
            case.call_and_validate(checks=held)

        with contextlib.suppress(Unsatisfiable):
            ask()
    assert "/v1/predict" in asked
    assert len(asked) >= 15
