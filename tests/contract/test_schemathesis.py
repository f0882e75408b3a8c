"""Schemathesis against the contract: no server error, no undocumented shape, nothing valid refused, nothing invalid
accepted. The seed is fixed, so a run is repeatable."""

import json
import random

import hypothesis
import overlay
import pytest
import schemathesis
from schemathesis import checks as standard
from schemathesis.config import SchemathesisConfig

EXAMPLES = 1500


@pytest.fixture(scope="module")
def api_schema(contract, sluice):
    auth = {"openapi": {"bearerAuth": {"bearer": sluice.key}}}
    settings = {"base-url": sluice.api, "seed": 1, "generation": {"mode": "all"}, "auth": auth}
    schema = schemathesis.openapi.from_dict(overlay.overlay(contract), config=SchemathesisConfig.from_dict(settings))
    pick = random.Random(1)

    @schema.hook
    def map_body(context, body):
        """A generated name is no model: most bodies ask for one that exists, some keep theirs."""
        if isinstance(body, dict) and isinstance(body.get("model"), str) and pick.random() < 0.8:
            body["model"] = "served"
        return body

    return schema


schema = schemathesis.pytest.from_fixture("api_schema")


@schemathesis.deserializer("text/event-stream")
def server_sent_events(context, response):
    """The contract's events hold JSON as `data`; `[DONE]`, which ends the stream, is none.

    Schemathesis reads the beginning of a stream, so what stands after the last blank line is not judged.
    """
    *events, _ = response.content.decode().split("\n\n")
    data = [event.removeprefix("data:").strip() for event in events]
    return [{"data": json.loads(text)} for text in data if text != "[DONE]"]


def refused_for_its_model(response):
    """A body with an unknown model is valid by the schema, and 400 `model-not-found` is right."""
    return response.status_code == 400 and response.json().get("code") == "model-not-found"


@pytest.mark.timeout(600)
@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_contract(case):
    response = case.call()
    unfair = [standard.positive_data_acceptance] if refused_for_its_model(response) else []
    case.validate_response(response, excluded_checks=unfair)
