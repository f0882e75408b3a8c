"""The official Anthropic SDK against every kind of upstream: what an application does with Claude, whoever answers."""

import asyncio
import base64
import json
import time

import anthropic
import pydantic
import pytest
import routes

HI = [{"role": "user", "content": "Tell me about gateways."}]
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}},
        "required": ["city"],
    },
}
MAIL = {"name": "send_mail", "description": "Sends mail", "input_schema": {"type": "object", "properties": {}}}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60)).decode()
MARK = {"type": "ephemeral", "ttl": "1h"}


class Town(pydantic.BaseModel):
    city: str
    population: int


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def calls_of(message):
    return [block for block in message.content if block.type == "tool_use"]


def blocks_of(message):
    """The blocks as an application sends them back."""
    return [block.model_dump(exclude_none=True, mode="json") for block in message.content]


def total(usage):
    return usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)


# --- plain and streamed ---


def test_a_message(route):
    with route.bill() as spent:
        done = route.anthropic().messages.create(model=route.model(), max_tokens=500, messages=HI)
    route.check_path("messages")
    assert (done.type, done.role, done.stop_reason, done.stop_sequence) == ("message", "assistant", "end_turn", None)
    assert [block.type for block in done.content] == ["text"]
    assert done.id and done.model
    assert spent["answers"] == 1
    assert (total(done.usage), done.usage.output_tokens) == (spent["input_tokens"], spent["output_tokens"])


def test_the_words_are_the_upstreams(route):
    done = route.anthropic().messages.create(model=route.model("mock-stream-5"), max_tokens=500, messages=HI)
    assert text_of(done) == routes.WORDS
    assert done.usage.output_tokens == 5


def test_a_stream_has_its_events_in_order(route):
    with route.bill() as spent:
        stream = route.anthropic().messages.create(
            model=route.model("mock-stream-5"), max_tokens=500, messages=HI, stream=True
        )
        events = [event for event in stream if event.type != "ping"]
    kinds = [event.type for event in events]
    head, tail = ["message_start", "content_block_start"], ["content_block_stop", "message_delta", "message_stop"]
    assert kinds == [*head, *["content_block_delta"] * (len(kinds) - 5), *tail]
    assert events[0].message.role == "assistant" and events[0].message.content == []
    pieces = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert "".join(pieces) == routes.WORDS and len(pieces) == 5
    assert events[-2].delta.stop_reason == "end_turn"
    assert events[-2].usage.output_tokens == spent["output_tokens"] == 5


def test_the_stream_helper_builds_the_final_message(route):
    with route.bill() as spent:
        with route.anthropic().messages.stream(model=route.model(), max_tokens=500, messages=HI) as stream:
            text = "".join(stream.text_stream)
            done = stream.get_final_message()
    route.check_path("messages")
    assert text_of(done) == text != ""
    assert done.stop_reason == "end_turn"
    assert (total(done.usage), done.usage.output_tokens) == (spent["input_tokens"], spent["output_tokens"])


def test_system_and_earlier_turns_arrive(route):
    conversation = [*HI, {"role": "assistant", "content": "They are doors."}, {"role": "user", "content": "More."}]
    for system in ("Be brief.", [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]):
        route.anthropic().messages.create(model=route.model(), max_tokens=50, system=system, messages=conversation)
        sent = route.received()["body"]
        for part in ("Be brief.", "Tell me about gateways.", "They are doors.", "More."):
            assert part in sent
    assert "Be kind." in sent
    if not route.speaks("messages"):
        roles = [message["role"] for message in route.body()["messages"]]
        assert roles[0] in ("system", "developer") and roles[-3:] == ["user", "assistant", "user"]


def test_max_tokens(route):
    done = route.anthropic().messages.create(model=route.model(), max_tokens=5, messages=HI)
    assert (done.stop_reason, done.usage.output_tokens) == ("max_tokens", 5)


def test_stop_sequences(route):
    body = {"model": route.model(), "max_tokens": 500, "messages": HI, "stop_sequences": ["a", "e"]}
    done = route.anthropic().messages.create(**body)
    assert not set("ae") & set(text_of(done))
    if route.speaks("messages"):
        assert (done.stop_reason, done.stop_sequence in ("a", "e")) == ("stop_sequence", True)
    else:
        assert done.stop_reason in ("end_turn", "stop_sequence")


# --- tools ---


def ask(text):
    return [{"role": "user", "content": text}]


def results(calls, *texts):
    blocks = [
        {"type": "tool_result", "tool_use_id": call.id, "content": text}
        for call, text in zip(calls, texts, strict=True)
    ]
    return {"role": "user", "content": blocks}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_its_result_comes_back(route, streamed):
    client = route.anthropic()

    def say(messages):
        body = {"model": route.model(), "max_tokens": 500, "tools": [WEATHER, MAIL], "messages": messages}
        if not streamed:
            return client.messages.create(**body)
        with client.messages.stream(**body) as stream:
            return stream.get_final_message()

    messages = ask("What is the weather in Zurich?")
    done = say(messages)
    [call] = calls_of(done)
    assert (done.stop_reason, call.name, call.input) == ("tool_use", "get_weather", {"city": "Zurich", "unit": "c"})
    messages += [{"role": "assistant", "content": blocks_of(done)}, results([call], "12 degrees")]
    final = say(messages)
    assert final.stop_reason == "end_turn"
    assert "The tool says: 12 degrees" in text_of(final)


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called_in_parallel(route, streamed):
    client = route.anthropic()
    messages = ask("What is the weather in both Oslo and Rome?")
    body = {"model": route.model(), "max_tokens": 500, "tools": [WEATHER]}
    if streamed:
        with client.messages.stream(**body, messages=messages) as stream:
            done = stream.get_final_message()
    else:
        done = client.messages.create(**body, messages=messages)
    calls = calls_of(done)
    assert [call.input["city"] for call in calls] == ["Oslo", "Rome"]
    assert len({call.id for call in calls}) == 2
    messages += [{"role": "assistant", "content": blocks_of(done)}, results(calls, "3 degrees", "21 degrees")]
    final = client.messages.create(**body, messages=messages)
    assert "3 degrees\n21 degrees" in text_of(final)


def test_one_call_at_a_time_when_that_is_asked(route):
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    messages = ask("What is the weather in both Oslo and Rome?")
    done = route.anthropic().messages.create(
        model=route.model(), max_tokens=500, tools=[WEATHER], tool_choice=choice, messages=messages
    )
    assert len(calls_of(done)) == 1


def test_tool_choice(route):
    def say(choice):
        body = {"model": route.model(), "max_tokens": 500, "tools": [WEATHER, MAIL], "messages": HI}
        return route.anthropic().messages.create(**body, tool_choice=choice)

    assert calls_of(say({"type": "none"})) == []
    assert calls_of(say({"type": "tool", "name": "send_mail"}))[0].name == "send_mail"
    assert say({"type": "any"}).stop_reason == "tool_use"
    if not route.speaks("messages"):
        assert route.body()["tool_choice"] == "required"


def test_text_and_a_call_in_one_turn(route):
    done = route.anthropic().messages.create(
        model=route.model("mock-chatty"), max_tokens=500, tools=[WEATHER], messages=ask("Weather in Oslo")
    )
    assert [block.type for block in done.content] == ["text", "tool_use"]


def test_a_result_in_blocks_with_an_error_and_words_after_it(route):
    call = {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {"city": "Oslo"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_01", "is_error": True}
    result["content"] = [{"type": "text", "text": "no such"}, {"type": "text", "text": "town"}]
    messages = ask("Weather in Oslo") + [
        {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, call]},
        {"role": "user", "content": [result, {"type": "text", "text": "Try again."}]},
    ]
    body = {"model": route.model(), "max_tokens": 500, "tools": [WEATHER], "messages": messages}
    done = route.anthropic().messages.create(**body)
    assert done.content
    sent = route.received()["body"]
    assert all(part in sent for part in ("Let me see.", "no such", "town", "Try again.", "toolu_01"))


# --- images, structured answers, refusals ---


def test_images(route):
    sources = [
        {"type": "base64", "media_type": "image/png", "data": PIXEL},
        {"type": "url", "url": "https://example.com/boat.png"},
    ]
    content = [{"type": "image", "source": source} for source in sources]
    messages = [{"role": "user", "content": [*content, {"type": "text", "text": "What is it?"}]}]
    assert route.anthropic().messages.create(model=route.model(), max_tokens=50, messages=messages).content
    if not route.speaks("messages"):
        parts = route.body()["messages"][-1]["content"]
        assert [part["type"] for part in parts] == ["image_url", "image_url", "text"]
        urls = [part["image_url"]["url"] for part in parts[:2]]
        assert urls == [f"data:image/png;base64,{PIXEL}", "https://example.com/boat.png"]


def test_a_structured_answer(route):
    body = {"model": route.model(), "max_tokens": 500, "messages": ask("Name a town"), "output_format": Town}
    assert isinstance(route.anthropic().messages.parse(**body).parsed_output, Town)
    with route.anthropic().messages.stream(**body) as stream:
        assert isinstance(stream.get_final_message().parsed_output, Town)
    if not route.speaks("messages"):
        assert route.body()["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize("model", ["mock-refusal", "mock-filter"])
def test_a_refusal(route, model):
    body = {"model": route.model(model), "max_tokens": 500, "messages": HI}
    done = route.anthropic().messages.create(**body)
    assert done.stop_reason == "refusal"
    with route.anthropic().messages.stream(**body) as stream:
        assert stream.get_final_message().stop_reason == "refusal"
    assert text_of(done), "what was said before the refusal is not lost"


# --- thinking ---

THINKING = [{"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}]


@pytest.mark.parametrize("thinking", THINKING, ids=["enabled", "adaptive"])
@pytest.mark.parametrize("model", [None, "mock-redacted"])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", ["direct", "anthropic"])
def test_thoughts_go_round_with_their_signature(only, name, thinking, model, streamed):
    route = only(name)
    client = route.anthropic()

    def say(messages):
        body = {"model": route.model(model), "max_tokens": 4000, "tools": [WEATHER], "thinking": thinking}
        if not streamed:
            return client.messages.create(**body, messages=messages)
        with client.messages.stream(**body, messages=messages) as stream:
            return stream.get_final_message()

    messages = ask("Weather in Oslo")
    done = say(messages)
    assert [block.type for block in done.content] == ["redacted_thinking" if model else "thinking", "tool_use"]
    messages += [{"role": "assistant", "content": blocks_of(done)}, results(calls_of(done), "3 degrees")]
    assert "3 degrees" in text_of(say(messages)), "the upstream has checked the signature"


def test_thoughts_of_a_compatible_upstream_become_blocks(only):
    route = only("chat")
    client = route.anthropic()
    body = {"model": route.model("mock-thinks"), "max_tokens": 4000, "thinking": THINKING[0], "tools": [WEATHER]}
    messages = ask("Weather in Oslo")
    with client.messages.stream(**body, messages=messages) as stream:
        done = stream.get_final_message()
    assert [block.type for block in done.content] == ["thinking", "tool_use"]
    assert done.content[0].thinking
    messages += [{"role": "assistant", "content": blocks_of(done)}, results(calls_of(done), "3 degrees")]
    final = client.messages.create(**body, messages=messages)
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert "3 degrees" in text_of(final)


# --- cache_control, counting, models ---


def marked(route):
    """A request with a mark wherever one may be."""
    return {
        "model": route.model(),
        "max_tokens": 50,
        "system": [{"type": "text", "text": "Be brief. " * 100, "cache_control": MARK}],
        "tools": [WEATHER, MAIL | {"cache_control": MARK}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello", "cache_control": MARK}]}],
    }


@pytest.mark.parametrize("name", ["direct", "anthropic", "chat"])
def test_marks_for_the_cache_arrive_as_they_were_written(only, name):
    route = only(name)
    odd = {"x-note": {"b": 1, "a": [True, None]}}
    mark = MARK | odd
    body = marked(route)
    for marked_one in (body["system"][0], body["tools"][1], body["messages"][0]["content"][0]):
        marked_one["cache_control"] = mark
    route.anthropic().messages.create(**body)
    mark = json.dumps(mark, separators=(",", ":"))
    assert route.received()["body"].count(f'"cache_control":{mark}') == 3


def test_marks_that_openai_would_refuse_are_left_out_and_reported(only):
    route = only("openai")
    raw = route.anthropic().messages.with_raw_response.create(**marked(route))
    assert "cache_control" not in route.received()["body"]
    assert "cache_control" in raw.headers["x-sluice-dropped"]


@pytest.mark.parametrize("name", ["direct", "anthropic"])
def test_what_the_cache_has_read_and_written_is_told(only, name):
    route = only(name)
    body = marked(route)
    body["system"][0]["text"] = f"{name} {time.monotonic()} " + "word " * 300
    first, second = (route.anthropic().messages.create(**body).usage for _ in range(2))
    assert first.cache_creation_input_tokens == second.cache_read_input_tokens > 0
    assert first.cache_creation.ephemeral_1h_input_tokens == first.cache_creation_input_tokens
    assert total(first) == total(second)


def test_tokens_read_from_a_compatible_upstreams_cache_are_not_input_tokens(only):
    route = only("chat")
    messages = ask(f"{time.monotonic()} " + "word " * 300)
    usages = []
    for _ in range(2):
        with route.bill() as spent:
            body = {"model": route.model(), "max_tokens": 50, "messages": messages}
            usages.append(route.anthropic().messages.create(**body).usage)
        assert total(usages[-1]) == spent["input_tokens"]
        assert (usages[-1].cache_read_input_tokens or 0) == spent["cached_tokens"]
    assert usages[1].cache_read_input_tokens > 0
    assert usages[1].input_tokens < usages[0].input_tokens


def test_tokens_are_counted(route):
    body = {"model": route.model(), "messages": ask("one two three four five"), "system": "Be brief."}
    count = route.anthropic().messages.count_tokens(**body).input_tokens
    if route.speaks("messages"):
        done = route.anthropic().messages.create(**body, max_tokens=5)
        assert count == done.usage.input_tokens
    else:
        assert 5 <= count < 100, "an estimate"
        longer = body | {"messages": ask("one two three four five " * 100)}
        assert route.anthropic().messages.count_tokens(**longer).input_tokens > 10 * count


def test_models(through):
    page = through.anthropic().models.list(limit=1000)
    ids = [model.id for model in page]
    assert through.model() in ids
    assert all(model.type == "model" and model.display_name for model in page.data)
    assert page.has_more is False
    assert through.anthropic().models.retrieve(through.model()).id == through.model()


# --- paths, credentials, headers ---


@pytest.mark.parametrize("base", ["", "/anthropic"])
@pytest.mark.parametrize("header", ["bearer", "x-api-key"])
def test_both_paths_and_both_credentials(through, base, header):
    options = {"base_url": through.gateway.api + base}
    if header == "x-api-key":
        options |= {"api_key": "", "default_headers": {"x-api-key": through.key, "authorization": anthropic.Omit()}}
    client = through.anthropic(**options)
    assert client.messages.create(model=through.model(), max_tokens=5, messages=HI).content
    with client.messages.stream(model=through.model(), max_tokens=5, messages=HI) as stream:
        assert stream.get_final_message().content
    assert client.messages.count_tokens(model=through.model(), messages=HI).input_tokens > 0


def test_version_and_betas_reach_anthropic_and_nobody_else(through):
    betas = {"anthropic-beta": "one-2026-01-01,two-2026-02-02"}
    through.anthropic().messages.create(model=through.model(), max_tokens=5, messages=HI, extra_headers=betas)
    headers = through.received()["headers"]
    if through.name == "anthropic":
        assert headers["anthropic-beta"] == betas["anthropic-beta"]
        assert headers["anthropic-version"]
        assert "sk-provider-secret" in (headers.get("x-api-key"), headers.get("authorization", "")[7:])
    else:
        assert headers["authorization"] == "Bearer sk-provider-secret"
        assert not any(name.startswith("anthropic-") for name in headers)
    assert through.key not in json.dumps(headers)


def test_async_messages_and_streams(route):
    async def main():
        options = {"base_url": route.anthropic_url, "api_key": route.key, "max_retries": 0}
        async with anthropic.AsyncAnthropic(**options) as client:
            body = {"model": route.model(), "max_tokens": 5, "messages": HI}
            many = await asyncio.gather(*[client.messages.create(**body) for _ in range(10)])
            async with client.messages.stream(**body) as stream:
                return [*many, await stream.get_final_message()]

    assert all(text_of(done) for done in asyncio.run(main()))


# --- errors ---


def raised(kind, status, type_, route, **body):
    body = {"model": route.model(), "max_tokens": 50, "messages": HI} | body
    with pytest.raises(kind) as error:
        route.anthropic().messages.create(**body)
    assert error.value.status_code == status
    document = error.value.response.json()
    assert document["type"] == "error"
    assert document["error"]["type"] == type_
    assert document["error"]["message"]
    return document["error"]["message"]


def test_an_unknown_model_is_not_found(through):
    assert "nobody" in raised(anthropic.NotFoundError, 404, "not_found_error", through, model="nobody")


def test_a_wrong_key_is_told_apart(through):
    with pytest.raises(anthropic.AuthenticationError) as error:
        client = through.anthropic(api_key="sk-ant-not-ours")
        client.messages.create(model=through.model(), max_tokens=5, messages=HI)
    assert error.value.response.json()["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "role"),
        ({"messages": "hello"}, "messages"),
    ],
)
def test_a_wrong_request_is_named(route, body, part):
    if part == "max_tokens" and route.name == "openai" and not route.direct:
        part = "max_completion_tokens"  # as that upstream calls it
    assert part in raised(anthropic.BadRequestError, 400, "invalid_request_error", route, **body)


def test_max_tokens_is_required(route):
    with pytest.raises(anthropic.BadRequestError) as error:
        body = {"model": route.model(), "messages": HI}
        route.anthropic().post("/v1/messages", body=body, cast_to=object)
    assert "max_tokens" in str(error.value)


def test_upstream_errors_have_anthropics_types(through):
    for model, kind, status, type_ in [
        ("mock-400", anthropic.BadRequestError, 400, "invalid_request_error"),
        ("mock-429", anthropic.RateLimitError, 429, "rate_limit_error"),
        ("mock-500", anthropic.InternalServerError, 502, "api_error"),
        ("mock-401", anthropic.InternalServerError, 502, "api_error"),
    ]:
        raised(kind, status, type_, through, model=through.model(model))


def test_an_answer_that_is_none_is_an_error(through):
    with pytest.raises(anthropic.InternalServerError):
        body = {"model": through.model("mock-garbage"), "max_tokens": 50, "messages": HI}
        through.anthropic().messages.create(**body)


@pytest.mark.parametrize("model", ["mock-cut-2", "mock-eof-2", "mock-error-2"])
def test_a_stream_that_breaks_raises(through, model):
    seen = ""
    with pytest.raises(anthropic.APIError) as error:
        with through.anthropic().messages.stream(model=through.model(model), max_tokens=50, messages=HI) as stream:
            for text in stream.text_stream:
                seen += text
    assert not isinstance(error.value, anthropic.APIConnectionError), "a typed error, not a cut connection"
    assert seen, "what came before the break is not lost"


# --- an agent at work ---


def agent(route, messages):
    """A request as a coding agent makes it."""
    tools = [
        {
            "name": name,
            "description": f"Works on the project: {name}. " * 20,
            "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {"file_path": {"type": "string", "description": "Where"}, "limit": {"type": "number"}},
                "required": ["file_path"],
                "additionalProperties": False,
            },
        }
        for name in ["Bash", "Edit", "Glob", "Grep", "ReadFile", "Task", "TodoWrite", "WebFetch", "WriteFile"]
    ]
    return {
        "model": route.model(),
        "max_tokens": 32000,
        "system": [
            {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "The project's rules. " * 200, "cache_control": {"type": "ephemeral"}},
        ],
        "tools": tools,
        "metadata": {"user_id": "user_0123_account__session_4567"},
        "messages": messages,
    }


def test_a_coding_agent_works_with_any_upstream(route):
    headers = {"anthropic-beta": "fine-grained-tool-streaming-2025-05-14", "x-app": "cli", "user-agent": "agent/2.0"}
    client = route.anthropic(default_headers=headers)
    reminder = {"type": "text", "text": "<system-reminder>\nStay on the task.\n</system-reminder>"}
    question = {"type": "text", "text": "Use both ReadFile and Grep to find the door in Harbour.md"}
    messages = [{"role": "user", "content": [reminder, question]}]
    first = agent(route, messages)
    count = client.messages.count_tokens(**{name: first[name] for name in ("model", "system", "tools", "messages")})
    assert count.input_tokens > 0
    with client.messages.stream(**first) as stream:
        done = stream.get_final_message()
    one = route.received()["body"]
    assert {call.name for call in calls_of(done)} == {"ReadFile", "Grep"}
    assert all(isinstance(call.input["file_path"], str) for call in calls_of(done))
    contents = [[{"type": "text", "text": "a door"}], "line 7: a door"]
    back = results(calls_of(done), *contents)
    back["content"].append(reminder)
    more = [*messages, {"role": "assistant", "content": blocks_of(done)}, back]
    with client.messages.stream(**agent(route, more)) as stream:
        final = stream.get_final_message()
    assert final.stop_reason == "end_turn"
    assert "a door" in text_of(final)
    two = route.received()["body"]
    if not route.speaks("messages"):
        assert one.endswith("]}") and two.startswith(one[:-2]), "the longer conversation begins as the shorter one"
        assert list(json.loads(two))[-1] == "messages"
        sent = json.loads(two)
        assert [message["role"] for message in sent["messages"][-4:]] == ["assistant", "tool", "tool", "user"]
        assert len(sent["tools"]) == 9
