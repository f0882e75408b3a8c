"""One mock and one Sluice for all SDK tests; an SDK changes nothing but `base_url` and `api_key`."""

import pathlib

import harness
import openai
import pytest
import routes

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


@pytest.fixture(scope="session")
def upstream():
    """The mock of the tests that pair dialects."""
    with harness.mock() as address:
        yield address


@pytest.fixture(scope="session")
def translator(upstream, tmp_path_factory):
    """A gateway with a provider of every kind."""
    log = pathlib.Path(tmp_path_factory.mktemp("log"), "translator.jsonl")
    with log.open("w") as out:
        providers = routes.providers(upstream)
        with harness.gateway(upstream, routes.models(), more_providers=providers, log=out) as gateway:
            yield gateway


def way(name, request):
    gateway = None if name == "direct" else request.getfixturevalue("translator")
    return routes.Route(name, request.getfixturevalue("upstream"), gateway)


@pytest.fixture(params=["direct", "anthropic", "chat", "openai"])
def route(request):
    """Every way that matters, one after the other."""
    return way(request.param, request)


@pytest.fixture(params=["anthropic", "chat", "openai"])
def through(request):
    """The ways through the gateway."""
    return way(request.param, request)


@pytest.fixture
def only(request):
    """A way by its name."""
    return lambda name: way(name, request)
