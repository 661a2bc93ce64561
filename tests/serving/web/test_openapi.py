"""Requests that fit the OpenAPI document, and many that do not, get the documented responses and never a 5xx."""

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

pytestmark = pytest.mark.slow

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
WITH_INPUT = ("POST /v1/predictions", "GET /v1/predictions/{symbol}", "GET /v1/history/{symbol}")
WITHOUT_INPUT = (
    "GET /v1/symbols",
    "GET /v1/models",
    "GET /v1/reports",
    "GET /v1/stats",
    "GET /v1/monitoring",
    "GET /v1/bot",
    "GET /v1/health/live",
    "GET /v1/health/ready",
)
CASES = [(GenerationMode.POSITIVE, label) for label in (*WITH_INPUT, *WITHOUT_INPUT)]
CASES += [(GenerationMode.NEGATIVE, label) for label in WITH_INPUT]


@pytest.fixture(scope="session")
def operations(url):
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    return {operation.ok().label: operation.ok() for operation in document.get_all_operations()}


def test_the_document_has_every_route(operations):
    assert set(operations) == {*WITH_INPUT, *WITHOUT_INPUT}


def test_only_operations_that_are_also_tested_with_invalid_input_take_input(operations):
    definitions = {label: operation.definition.raw for label, operation in operations.items()}
    assert {label for label, raw in definitions.items() if {"parameters", "requestBody"} & set(raw)} == set(WITH_INPUT)


@pytest.mark.parametrize(("mode", "label"), CASES)
def test_every_operation_responds_as_documented(operations, label, mode):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(case=operations[label].as_strategy(generation_mode=mode))
    def call(case):
        case.call_and_validate(checks=CHECKS)

    call()
