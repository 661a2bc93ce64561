"""Whatever fits the OpenAPI document, and much that does not, gets what the document promises and never a 5xx."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture(scope="session")
def openapi(url):
    return schemathesis.openapi.from_url(f"{url}/openapi.json")


OPERATIONS = {
    "POST /v1/predictions",
    "GET /v1/predictions/{symbol}",
    "GET /v1/history/{symbol}",
    "GET /v1/symbols",
    "GET /v1/models",
    "GET /v1/stats",
    "GET /v1/health/live",
    "GET /v1/health/ready",
}


TAKE_SOMETHING = {"POST /v1/predictions", "GET /v1/predictions/{symbol}", "GET /v1/history/{symbol}"}


def labelled(openapi):
    return {operation.ok().label: operation.ok() for operation in openapi.get_all_operations()}


def test_the_document_names_every_route(openapi):
    assert set(labelled(openapi)) == OPERATIONS


@pytest.mark.parametrize("label", sorted(OPERATIONS))
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_keeps_its_promises(openapi, label, mode):
    if mode is GenerationMode.NEGATIVE and label not in TAKE_SOMETHING:
        return  # nothing of it can be wrong

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(case=labelled(openapi)[label].as_strategy(generation_mode=mode))
    def ask(case):
        case.call_and_validate(checks=CHECKS)

    ask()
