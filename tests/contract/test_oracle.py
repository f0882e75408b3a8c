"""Thousands of random bodies: the gateway must agree with the contract's schema on every one.

Valid: 200, and the upstream received the same bytes. Invalid: 400 with every faulty place, and no upstream call.
The seed is fixed; SLUICE_FUZZ_CASES and SLUICE_FUZZ_SEED change the run.
"""

import http.client
import json
import os
import random

import harness
import oracle
import pytest
import upstream

CASES = int(os.environ.get("SLUICE_FUZZ_CASES", "20000"))
SEED = int(os.environ.get("SLUICE_FUZZ_SEED", "1"))


def streamed(body):
    return oracle.parse(body).get("stream") is True


@pytest.fixture(scope="module")
def target():
    with upstream.upstream(streamed) as (address, bodies), harness.gateway(address, ["served"]) as gateway:
        yield gateway, bodies


class Client:
    def __init__(self, gateway):
        self.connection = http.client.HTTPConnection(gateway.api.removeprefix("http://"), timeout=30)
        self.headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}

    def post(self, body):
        self.connection.request("POST", "/openai/v1/completions", body, self.headers)
        response = self.connection.getresponse()
        return response.status, response.read()


def names_model(body):
    return oracle.parse(body)["model"]


def rewritten(body):
    """Must the gateway change this body: `$schema` is taken out, and usage asked for in streams?"""
    value = oracle.parse(body)
    return "$schema" in value or value.get("stream") is True


def judge(case, body, faults, status, answer, forwarded):
    about = f"case {case}: {body!r}\n-> {status} {answer[:2000]!r}"
    if faults:
        error = json.loads(answer)
        assert status == 400, about
        assert "code" not in error, about
        assert {fault["location"] for fault in error["errors"]} == faults, f"{about}\nexpected {faults}"
        assert not forwarded, about
    elif faults is None:
        assert status == 400, about
        assert json.loads(answer)["error"]["message"], about
        assert not forwarded, about
    elif names_model(body) != "served":
        assert (status, json.loads(answer)["code"]) == (400, "model-not-found"), about
        assert not forwarded, about
    else:
        assert status == 200, about
        assert len(forwarded) == 1, about
        if rewritten(body):
            same_but_for_edits(body, forwarded[0], about)
        else:
            assert forwarded[0] == body, f"{about}\nforwarded {forwarded[0]!r}"


def same_but_for_edits(body, forwarded, about):
    sent, got = oracle.parse(body), oracle.parse(forwarded)
    sent.pop("$schema", None)
    if sent.get("stream") is True:
        sent["stream_options"] = sent.get("stream_options", {}) | {"include_usage": True}
    assert got == sent, f"{about}\nforwarded {forwarded!r}"


@pytest.mark.parametrize("invalid", [0.0, 0.05, 0.5], ids=["valid", "one fault", "many faults"])
def test_the_verdict_on_a_body_is_the_schemas(target, contract, invalid):
    gateway, bodies = target
    source, client, verdict = random.Random(f"{SEED} {invalid}"), Client(gateway), oracle.Judge(contract)
    counts = {"valid": 0, "invalid": 0}
    for case in range(CASES // 3):
        body = oracle.body(source, invalid)
        faults = verdict.faults(body)
        counts["valid" if faults == set() else "invalid"] += 1
        bodies.clear()
        status, answer = client.post(body)
        judge(case, body, faults, status, answer, list(bodies))
    assert invalid == 0.5 or counts["valid"] > CASES / 30, counts
    assert invalid == 0.0 or counts["invalid"] > CASES / 30, counts


def test_broken_bytes_are_never_forwarded_and_never_a_server_error(target, contract):
    gateway, bodies = target
    source, client, verdict = random.Random(f"{SEED} bytes"), Client(gateway), oracle.Judge(contract)
    for case in range(CASES // 3):
        body = oracle.mutate(oracle.body(source, 0.0), source)
        if b"\\ud8" in body.lower() or b"\\udc" in body.lower():
            continue  # a lone surrogate: JSON's grammar and its readers disagree
        bodies.clear()
        status, answer = client.post(body)
        judge(case, body, verdict.faults(body), status, answer, list(bodies))
