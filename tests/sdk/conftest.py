"""One mock and one Sluice for all SDK tests; the SDK changes nothing but `base_url` and `api_key`.

The Anthropic SDK is installed too; its tests come with the Messages API.
"""

import pathlib

import harness
import openai
import pytest

MODELS = ["demo", "vendor/demo-1.0", "mock-echo", "mock-cut-2", "mock-eof-2", "mock-error-2", "mock-500", "mock-html"]
SMALL = "  - {name: small, targets: [{provider: up, model: small}], max_output_tokens: 100}"


@pytest.fixture(scope="session")
def sluice(tmp_path_factory):
    log = pathlib.Path(tmp_path_factory.mktemp("log"), "sluice.jsonl")
    with harness.mock() as upstream, log.open("w") as out:
        with harness.gateway(upstream, [*MODELS, SMALL], log=out) as gateway:
            gateway.upstream = f"http://{upstream}"
            yield gateway


@pytest.fixture(params=["/v1", "/openai/v1"])
def base_url(request, sluice):
    return sluice.api + request.param


@pytest.fixture
def client(base_url, sluice):
    return openai.OpenAI(base_url=base_url, api_key=sluice.key)


@pytest.fixture
def once(base_url, sluice):
    """A client that does not retry, for tests of errors."""
    return openai.OpenAI(base_url=base_url, api_key=sluice.key, max_retries=0)
