"""The contract, and a gateway that serves it."""

import pathlib

import harness
import pytest
import yaml

CONTRACT = pathlib.Path(__file__).with_name("completions.openapi.yaml")


@pytest.fixture(scope="session")
def contract():
    return yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def sluice():
    """In front of the mock."""
    with harness.mock() as upstream, harness.gateway(upstream, ["served", "vendor/served"]) as gateway:
        yield gateway
