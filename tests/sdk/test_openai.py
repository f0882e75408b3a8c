"""The official OpenAI SDK against the release binary and the mock upstream.

What an application does, on both path families. Errors must be readable where an application logs them: `str(e)`.
"""

import asyncio
import json
import time

import openai
import pydantic
import pytest

HI = [{"role": "user", "content": "Tell me about gateways."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
            "required": ["city"],
        },
    },
}


class Answer(pydantic.BaseModel):
    city: str
    population: int


# --- completions ---


def test_completion(client):
    done = client.completions.create(model="demo", prompt="Once upon a time", max_tokens=16, seed=7)
    assert done.object == "text_completion"
    assert done.choices[0].text
    assert done.choices[0].finish_reason in ("stop", "length")
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens > 0


def test_completion_is_repeatable_with_a_seed(client):
    texts = {client.completions.create(model="demo", prompt="x", seed=2**53 + 1).choices[0].text for _ in range(2)}
    assert len(texts) == 1


def test_completion_stream(client):
    chunks = list(client.completions.create(model="demo", prompt="Once", max_tokens=8, seed=7, stream=True))
    plain = client.completions.create(model="demo", prompt="Once", max_tokens=8, seed=7)
    assert "".join(chunk.choices[0].text for chunk in chunks) == plain.choices[0].text
    assert all(chunk.usage is None for chunk in chunks), "usage that nobody asked for"


def test_completion_stream_with_usage(client):
    options = {"include_usage": True}
    chunks = list(
        client.completions.create(model="demo", prompt="Once", max_tokens=8, stream=True, stream_options=options)
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0


# --- chat ---


def test_chat(client):
    done = client.chat.completions.create(model="demo", messages=HI, seed=1)
    assert done.choices[0].message.role == "assistant"
    assert done.choices[0].message.content
    assert done.usage.completion_tokens > 0
    assert done.system_fingerprint


def test_chat_stream(client):
    chunks = list(client.chat.completions.create(model="demo", messages=HI, max_tokens=8, seed=1, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")


def test_chat_stream_helper_builds_the_final_answer(client):
    with client.chat.completions.stream(model="demo", messages=HI, stream_options={"include_usage": True}) as stream:
        for _ in stream:
            pass
        done = stream.get_final_completion()
    assert done.choices[0].message.content
    assert done.usage.completion_tokens > 0


def test_chat_tool_call(client):
    ask = [{"role": "user", "content": "What is the weather in Zurich?"}]
    done = client.chat.completions.create(model="demo", messages=ask, tools=[WEATHER], seed=3)
    call = done.choices[0].message.tool_calls[0]
    assert done.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments)["city"]
    ask += [done.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "12 degrees"}]
    assert client.chat.completions.create(model="demo", messages=ask, tools=[WEATHER]).choices[0].message.content


def test_chat_tool_call_stream(client):
    ask = [{"role": "user", "content": "What is the weather in Zurich?"}]
    name, arguments = "", ""
    for chunk in client.chat.completions.create(model="demo", messages=ask, tools=[WEATHER], seed=3, stream=True):
        for call in chunk.choices[0].delta.tool_calls or []:
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    assert name == "get_weather"
    assert json.loads(arguments)["city"]


def test_chat_structured_output(client):
    done = client.chat.completions.parse(model="demo", messages=HI, response_format=Answer, seed=4)
    assert isinstance(done.choices[0].message.parsed, Answer)


def test_chat_json_mode(client):
    done = client.chat.completions.create(model="demo", messages=HI, response_format={"type": "json_object"})
    assert isinstance(json.loads(done.choices[0].message.content), dict)


# --- embeddings, models, responses ---


def test_embeddings(client):
    done = client.embeddings.create(model="demo", input=["one", "two"])
    assert len(done.data) == 2
    assert all(isinstance(number, float) for number in done.data[0].embedding)
    assert done.usage.prompt_tokens > 0


def test_models(client):
    ids = [model.id for model in client.models.list()]
    assert "demo" in ids and "vendor/demo-1.0" in ids


def test_model_whose_id_holds_a_slash(client):
    assert client.models.retrieve("vendor/demo-1.0").id == "vendor/demo-1.0"


def test_response(client):
    done = client.responses.create(model="demo", input="Tell me about gateways.")
    assert done.status == "completed"
    assert done.output_text
    assert done.usage.output_tokens > 0


def test_response_stream(client):
    text, last = "", None
    for event in client.responses.create(model="demo", input="Tell me about gateways.", stream=True):
        text += event.delta if event.type == "response.output_text.delta" else ""
        last = event
    assert last.type == "response.completed"
    assert last.response.output_text == text != ""


# --- async ---


def test_async_chat_embeddings_and_stream(base_url, sluice):
    async def main():
        async with openai.AsyncOpenAI(base_url=base_url, api_key=sluice.key) as client:
            many = [client.chat.completions.create(model="demo", messages=HI, max_tokens=4) for _ in range(20)]
            done = await asyncio.gather(*many, client.embeddings.create(model="demo", input="x"))
            stream = await client.chat.completions.create(model="demo", messages=HI, max_tokens=4, stream=True)
            return done, [chunk async for chunk in stream]

    done, chunks = asyncio.run(main())
    assert len(done) == 21 and chunks


# --- what the gateway must not get in the way of ---


def test_vendor_extras_reach_the_upstream(client):
    extra = {"cache_control": {"type": "ephemeral", "ttl": "1h"}, "guided_regex": "a+", "top_k": 5, "seed": 2**53 + 1}
    done = client.chat.completions.create(model="mock-echo", messages=HI, extra_body=extra)
    echoed = json.loads(done.choices[0].message.content)
    assert {name: echoed[name] for name in extra} == extra


def test_raw_response_names_the_target(client):
    raw = client.chat.completions.with_raw_response.create(model="demo", messages=HI)
    assert raw.headers["x-sluice-provider"] == "up"
    assert raw.headers["x-request-id"]
    assert raw.parse().choices


# --- errors ---


def reason(error, *parts):
    for part in parts:
        assert part in str(error.value), str(error.value)


def test_unknown_model(once, base_url):
    with pytest.raises(openai.APIStatusError) as error:
        once.chat.completions.create(model="demoo", messages=HI)
    reason(error, "'demoo'", "'demo'")
    contract = base_url.endswith("/openai/v1")
    assert error.value.status_code == (400 if contract else 404)
    assert error.value.code == ("model-not-found" if contract else "model_not_found")
    assert error.value.param == "model"


def test_temperature_out_of_bounds(once):
    with pytest.raises(openai.BadRequestError) as error:
        once.completions.create(model="demo", prompt="x", temperature=2.5)
    reason(error, "temperature")


def test_all_faults_are_named(sluice):
    once = openai.OpenAI(base_url=sluice.api + "/openai/v1", api_key=sluice.key, max_retries=0)
    with pytest.raises(openai.BadRequestError) as error:
        once.completions.create(model="demo", prompt="x", temperature=2.5, top_p=0)
    reason(error, "body.temperature", "expected number <= 2")
    assert {fault["location"] for fault in error.value.response.json()["errors"]} == {"body.temperature", "body.top_p"}


def test_max_tokens_exceeded(once, base_url):
    with pytest.raises(openai.BadRequestError) as error:
        once.completions.create(model="small", prompt="x", max_tokens=101)
    reason(error, "100")
    contract = base_url.endswith("/openai/v1")
    assert error.value.code == ("max-tokens-exceeded" if contract else "context_length_exceeded")


def test_wrong_key(base_url):
    with pytest.raises(openai.AuthenticationError) as error:
        openai.OpenAI(base_url=base_url, api_key="sk-proj-not-ours", max_retries=0).models.list()
    reason(error, "sk-sluice-")


def test_unknown_path(once):
    with pytest.raises(openai.NotFoundError) as error:
        once.images.generate(model="demo", prompt="x")
    reason(error, "/images/generations")


def test_bare_string_stop_on_the_open_path(sluice):
    client = openai.OpenAI(base_url=sluice.api + "/v1", api_key=sluice.key)
    assert client.completions.create(model="demo", prompt="x", stop="\n", max_tokens=4).choices


def test_bare_string_stop_on_the_contracts_path(sluice):
    once = openai.OpenAI(base_url=sluice.api + "/openai/v1", api_key=sluice.key, max_retries=0)
    with pytest.raises(openai.BadRequestError) as error:
        once.completions.create(model="demo", prompt="x", stop="\n")
    reason(error, "body.stop", "expected array")


@pytest.mark.parametrize("model", ["mock-cut-2", "mock-eof-2", "mock-error-2"])
def test_stream_that_breaks_raises(once, model):
    seen = 0
    with pytest.raises(openai.APIError) as error:
        for _ in once.chat.completions.create(model=model, messages=HI, stream=True):
            seen += 1
    assert not isinstance(error.value, openai.APIConnectionError), "a typed error, not a cut connection"
    assert seen >= 1
    assert str(error.value)


def test_upstream_failure_is_a_server_error_without_its_html(once):
    for model in ("mock-500", "mock-html"):
        with pytest.raises(openai.InternalServerError) as error:
            once.chat.completions.create(model=model, messages=HI)
        assert error.value.status_code == 502
        assert "<" not in str(error.value)


def test_spent_attempts_are_not_multiplied_by_the_sdks_retries(client):
    begun = time.monotonic()
    with pytest.raises(openai.InternalServerError) as error:
        client.chat.completions.create(model="mock-500", messages=HI)
    assert error.value.response.headers.get("x-should-retry") == "false"
    assert time.monotonic() - begun < 5
