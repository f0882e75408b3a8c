"""Zero-config demo mode: the binary alone, no file, no key, and an SDK that only knows the address."""

from subprocess import DEVNULL

import harness
import openai
import pytest


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    api, admin = f"127.0.0.1:{harness.free_port()}", f"127.0.0.1:{harness.free_port()}"
    binds = [f"SLUICE__LISTENERS__API__BIND={api}", f"SLUICE__LISTENERS__ADMIN__BIND={admin}"]
    folder = tmp_path_factory.mktemp("empty")

    def ready():
        return harness.answers(f"http://{admin}/readyz")

    with harness.running(["env", *binds, harness.SLUICE], ready, cwd=folder, stdout=DEVNULL, stderr=DEVNULL):
        yield openai.OpenAI(base_url=f"http://{api}/v1", api_key="any", max_retries=0)


def test_the_demo_streams_text(demo):
    chunks = demo.chat.completions.create(
        model="demo", messages=[{"role": "user", "content": "hi"}], max_tokens=8, stream=True
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_the_demos_failing_models_fail_as_they_say(demo):
    with pytest.raises(openai.APIStatusError) as error:
        demo.completions.create(model="demo-down", prompt="x")
    assert error.value.status_code == 503
    with pytest.raises(openai.RateLimitError) as error:
        for _ in range(2):
            demo.completions.create(model="demo-limited", prompt="x")
    assert int(error.value.response.headers["retry-after"]) >= 1
