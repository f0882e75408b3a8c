"""The official OpenAI SDK in its three dialects against every kind of upstream, whatever that speaks."""

import base64
import json
import time

import openai
import pydantic
import pytest
import routes

HI = [{"role": "user", "content": "Tell me about gateways."}]
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}},
    "required": ["city"],
}
WEATHER = {"name": "get_weather", "description": "The weather of a city", "parameters": PARAMETERS}
MAIL = {"name": "send_mail", "description": "Sends mail", "parameters": {"type": "object", "properties": {}}}
CHAT_TOOLS = [{"type": "function", "function": tool} for tool in (WEATHER, MAIL)]
RESPONSE_TOOLS = [{"type": "function", "strict": False, **tool} for tool in (WEATHER, MAIL)]
PIXEL = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60)).decode()
URL = "https://example.com/boat.png"
USAGE = {"include_usage": True}
MARK = {"type": "ephemeral", "ttl": "1h", "x-note": {"b": 1, "a": [True, None]}}


class Town(pydantic.BaseModel):
    city: str
    population: int


def ask(text):
    return [{"role": "user", "content": text}]


def check_bill(usage, spent):
    assert (usage.prompt_tokens, usage.completion_tokens) == (spent["input_tokens"], spent["output_tokens"])
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@pytest.fixture(params=["direct", "anthropic", "chat", "openai", "azure", "azure-v1"])
def anywhere(request, only):
    """Azure too, for what every provider must be able to."""
    return only(request.param)


# --- chat ---


def test_chat(anywhere):
    with anywhere.bill() as spent:
        done = anywhere.openai().chat.completions.create(model=anywhere.model(), messages=HI)
    anywhere.check_path("chat")
    [choice] = done.choices
    assert (done.object, choice.index, choice.finish_reason) == ("chat.completion", 0, "stop")
    assert choice.message.role == "assistant" and choice.message.content
    assert done.id and done.created and done.model
    check_bill(done.usage, spent)


def test_the_words_are_the_upstreams(anywhere):
    client = anywhere.openai()
    body = {"model": anywhere.model("mock-stream-5"), "messages": HI}
    assert client.chat.completions.create(**body).choices[0].message.content == routes.WORDS
    chunks = list(client.chat.completions.create(**body, stream=True))
    # Azure tells what its filters found in the prompt before all else, in an event without choices.
    assert {chunk.object for chunk in chunks if chunk.choices} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks if chunk.id}) == 1
    assert all(chunk.usage is None for chunk in chunks), "usage that nobody asked for"
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert choices[0].delta.role == "assistant"
    pieces = [choice.delta.content for choice in choices if choice.delta.content]
    assert "".join(pieces) == routes.WORDS and len(pieces) == 5
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]


def test_a_chat_stream_with_its_bill(route):
    with route.bill() as spent:
        stream = route.openai().chat.completions.create(
            model=route.model(), messages=HI, stream=True, stream_options=USAGE
        )
        chunks = list(stream)
    assert chunks[-1].choices == []
    check_bill(chunks[-1].usage, spent)


def test_the_chat_stream_helper_builds_the_final_answer(route):
    with route.openai().chat.completions.stream(model=route.model(), messages=HI, stream_options=USAGE) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        done = stream.get_final_completion()
    assert done.choices[0].message.content == text != ""
    assert done.usage.completion_tokens > 0


def test_system_and_developer_messages_and_earlier_turns_arrive(route):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        *HI,
        {"role": "assistant", "content": "They are doors."},
        {"role": "user", "content": "More."},
    ]
    route.openai().chat.completions.create(model=route.model(), messages=messages)
    sent = route.received()["body"]
    for part in ("Be brief.", "Be kind.", "Tell me about gateways.", "They are doors.", "More."):
        assert part in sent
    if route.name == "anthropic":
        assert [message["role"] for message in route.body()["messages"]] == ["user", "assistant", "user"]


def test_max_tokens_under_both_names(route):
    for name in ("max_tokens", "max_completion_tokens"):
        done = route.openai().chat.completions.create(model=route.model(), messages=HI, **{name: 5})
        assert (done.choices[0].finish_reason, done.usage.completion_tokens) == ("length", 5)


def test_stop(route):
    for stop in ("e", ["a", "e"]):
        done = route.openai().chat.completions.create(model=route.model(), messages=HI, stop=stop)
        assert done.choices[0].finish_reason == "stop"
        assert "e" not in done.choices[0].message.content


def test_a_stop_that_anthropic_would_refuse_does_no_harm(route):
    done = route.openai().chat.completions.create(model=route.model(), messages=HI, stop=["\n", "zzz"])
    assert done.choices[0].message.content


def test_settings_of_openai_do_no_harm_elsewhere(through):
    body = {"seed": 7, "user": "u1", "n": 1, "logprobs": False, "presence_penalty": 0, "store": False}
    done = through.openai().chat.completions.create(model=through.model(), messages=HI, temperature=1.5, **body)
    assert done.choices[0].message.content


def test_a_member_that_is_lost_is_named(only):
    route = only("anthropic")
    raw = route.openai().chat.completions.with_raw_response.create(
        model=route.model(), messages=HI, logit_bias={"50256": -100}, frequency_penalty=0.5
    )
    dropped = raw.headers["x-sluice-dropped"]
    assert "logit_bias" in dropped and "frequency_penalty" in dropped


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_its_result_comes_back(anywhere, streamed):
    client = anywhere.openai()

    def say(messages):
        body = {"model": anywhere.model(), "tools": CHAT_TOOLS, "messages": messages}
        if not streamed:
            return client.chat.completions.create(**body).choices[0]
        with client.chat.completions.stream(**body) as stream:
            return stream.get_final_completion().choices[0]

    messages = ask("What is the weather in Zurich?")
    done = say(messages)
    [call] = done.message.tool_calls
    assert (done.finish_reason, call.type, call.function.name) == ("tool_calls", "function", "get_weather")
    assert json.loads(call.function.arguments) == {"city": "Zurich", "unit": "c"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "12 degrees"}
    final = say([*messages, as_sent(done.message), result])
    assert final.finish_reason == "stop"
    assert "The tool says: 12 degrees" in final.message.content


def as_sent(message):
    """An answer's message as an application sends it back."""
    return message.model_dump(exclude_none=True, exclude={"parsed", "annotations"}, mode="json") | {
        "tool_calls": [
            {"id": call.id, "type": "function", "function": call.function.model_dump(include={"name", "arguments"})}
            for call in message.tool_calls or []
        ]
    }


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called_in_parallel(route, streamed):
    client = route.openai()
    messages = ask("What is the weather in both Oslo and Rome?")
    body = {"model": route.model(), "tools": CHAT_TOOLS[:1]}
    if streamed:
        with client.chat.completions.stream(**body, messages=messages) as stream:
            done = stream.get_final_completion().choices[0]
    else:
        done = client.chat.completions.create(**body, messages=messages).choices[0]
    calls = done.message.tool_calls
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Oslo", "Rome"]
    assert len({call.id for call in calls}) == 2
    texts = zip(calls, ("3 degrees", "21 degrees"), strict=True)
    back = [{"role": "tool", "tool_call_id": call.id, "content": text} for call, text in texts]
    final = client.chat.completions.create(**body, messages=[*messages, as_sent(done.message), *back])
    assert "3 degrees\n21 degrees" in final.choices[0].message.content


def test_one_call_at_a_time_when_that_is_asked(route):
    messages = ask("What is the weather in both Oslo and Rome?")
    body = {"model": route.model(), "tools": CHAT_TOOLS, "messages": messages, "parallel_tool_calls": False}
    assert len(route.openai().chat.completions.create(**body).choices[0].message.tool_calls) == 1


def test_tool_choice(route):
    def say(choice):
        body = {"model": route.model(), "tools": CHAT_TOOLS, "messages": HI, "tool_choice": choice}
        return route.openai().chat.completions.create(**body).choices[0].message.tool_calls

    assert say("none") is None
    assert say({"type": "function", "function": {"name": "send_mail"}})[0].function.name == "send_mail"
    assert say("required")


def test_text_and_a_call_in_one_turn(route):
    body = {"model": route.model("mock-chatty"), "tools": CHAT_TOOLS, "messages": ask("Weather in Oslo")}
    message = route.openai().chat.completions.create(**body).choices[0].message
    assert message.content and message.tool_calls


def test_images(route):
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in (PIXEL, URL)]
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, *parts]}]
    assert route.openai().chat.completions.create(model=route.model(), messages=messages).choices
    if route.name == "anthropic":
        sent = route.body()["messages"][0]["content"]
        assert [block["type"] for block in sent] == ["text", "image", "image"]
        assert sent[1]["source"]["data"] == PIXEL.split(",")[1]
        assert sent[2]["source"] == {"type": "url", "url": URL}


def test_a_structured_answer(route):
    body = {"model": route.model(), "messages": ask("Name a town"), "response_format": Town}
    done = route.openai().chat.completions.parse(**body)
    assert isinstance(done.choices[0].message.parsed, Town)
    with route.openai().chat.completions.stream(**body) as stream:
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Town)
    if route.name == "anthropic":
        assert route.body()["output_config"]["format"]["type"] == "json_schema"


def test_a_schema_that_is_not_closed_does_no_harm(route):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "town", "schema": schema}}
    body = {"model": route.model(), "messages": ask("Name a town"), "response_format": form}
    assert "city" in json.loads(route.openai().chat.completions.create(**body).choices[0].message.content)


def test_a_refusal(route):
    body = {"model": route.model("mock-refusal"), "messages": HI}
    done = route.openai().chat.completions.create(**body).choices[0]
    if route.name == "anthropic":
        assert done.finish_reason == "content_filter"
    else:
        assert done.message.refusal
    assert done.message.content or done.message.refusal


def test_a_filter(anywhere):
    client = anywhere.openai()
    done = client.chat.completions.create(model=anywhere.model("mock-filter"), messages=HI)
    assert done.choices[0].finish_reason == "content_filter"
    assert done.choices[0].message.content, "what was said before is not lost"
    if anywhere.name != "anthropic":
        with pytest.raises(openai.BadRequestError) as error:
            client.chat.completions.create(model=anywhere.model("mock-filter-prompt"), messages=HI)
        assert error.value.code == "content_filter"


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_of_claude_go_round(only, streamed):
    route = only("anthropic")
    client = route.openai()

    def say(messages):
        body = {"model": route.model(), "tools": CHAT_TOOLS, "messages": messages, "reasoning_effort": "high"}
        if not streamed:
            return client.chat.completions.create(**body)
        with client.chat.completions.stream(**body, stream_options=USAGE) as stream:
            return stream.get_final_completion()

    messages = ask("Weather in Oslo")
    done = say(messages)
    assert route.body()["thinking"]["type"] in ("enabled", "adaptive")
    message = done.choices[0].message
    assert message.reasoning_content
    assert done.usage.completion_tokens_details.reasoning_tokens > 0
    if streamed:
        # The SDK adds up what it does not know only where it is text; the next turn goes without the signature.
        return
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "3 degrees"}
    final = say([*messages, as_sent(message), result])
    assert "3 degrees" in final.choices[0].message.content
    kinds = [block["type"] for block in route.body()["messages"][1]["content"]]
    assert kinds == ["thinking", "tool_use"], "the upstream has checked the signature"


def test_thoughts_without_their_signature_do_no_harm(only):
    route = only("anthropic")
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
    messages = [
        *ask("Weather in Oslo"),
        {"role": "assistant", "content": None, "reasoning_content": "Let me see.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "3 degrees"},
    ]
    body = {"model": route.model(), "tools": CHAT_TOOLS, "messages": messages, "reasoning_effort": "high"}
    done = route.openai().chat.completions.create(**body)
    assert "3 degrees" in done.choices[0].message.content


def test_thoughts_of_a_compatible_upstream(only):
    route = only("chat")
    body = {"model": route.model("mock-thinks"), "messages": HI}
    assert route.openai().chat.completions.create(**body).choices[0].message.reasoning_content


def test_marks_for_the_cache_reach_anthropic_as_they_were_written(only):
    route = only("anthropic")
    part = {"type": "text", "text": "word " * 300 + str(time.monotonic()), "cache_control": MARK}
    tool = CHAT_TOOLS[0] | {"cache_control": MARK}
    messages = [{"role": "system", "content": [part]}, {"role": "user", "content": [part | {"text": "Hello"}]}]
    body = {"model": route.model(), "messages": messages, "tools": [tool]}
    usages = []
    for _ in range(2):
        with route.bill() as spent:
            usages.append(route.openai().chat.completions.create(**body).usage)
        check_bill(usages[-1], spent)
    mark = json.dumps(MARK, separators=(",", ":"))
    assert route.received()["body"].count(f'"cache_control":{mark}') == 3
    assert usages[0].prompt_tokens == usages[1].prompt_tokens
    assert usages[0].prompt_tokens_details.cached_tokens == 0
    assert usages[1].prompt_tokens_details.cached_tokens == spent["cached_tokens"] > 0


def test_no_more_marks_than_anthropic_takes(only):
    route = only("anthropic")
    parts = [{"type": "text", "text": f"Part {at}", "cache_control": {"type": "ephemeral"}} for at in range(6)]
    raw = route.openai().chat.completions.with_raw_response.create(
        model=route.model(), messages=[{"role": "user", "content": parts}]
    )
    assert route.received()["body"].count('"cache_control"') == 4
    assert "cache_control" in raw.headers["x-sluice-dropped"]


def test_a_longer_conversation_begins_as_the_shorter_one(only):
    route = only("anthropic")
    messages = [{"role": "system", "content": "Be brief."}, *HI]
    body = {"model": route.model(), "tools": CHAT_TOOLS, "max_tokens": 50, "user": "u1"}
    route.openai().chat.completions.create(**body, messages=messages)
    one = route.received()["body"]
    more = [{"role": "assistant", "content": "They are doors."}, {"role": "user", "content": "More."}]
    route.openai().chat.completions.create(**body, messages=[*messages, *more])
    two = route.received()["body"]
    assert one.endswith("]}") and two.startswith(one[:-2])
    assert list(json.loads(two))[-1] == "messages"


# --- completions ---


def test_completion(anywhere):
    with anywhere.bill() as spent:
        done = anywhere.openai().completions.create(model=anywhere.model(), prompt="Once upon a time", max_tokens=16)
    anywhere.check_path("completions")
    [choice] = done.choices
    assert (done.object, choice.index, choice.finish_reason) == ("text_completion", 0, "length")
    assert choice.text
    check_bill(done.usage, spent)


def test_completion_stream(anywhere):
    client = anywhere.openai()
    body = {"model": anywhere.model("mock-stream-5"), "prompt": "Once"}
    assert client.completions.create(**body).choices[0].text == routes.WORDS
    with anywhere.bill() as spent:
        chunks = list(client.completions.create(**body, stream=True, stream_options=USAGE))
    assert {chunk.object for chunk in chunks} == {"text_completion"}
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == routes.WORDS
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    check_bill(chunks[-1].usage, spent)
    assert all(chunk.usage is None for chunk in client.completions.create(**body, stream=True))


def test_completion_whose_prompt_is_a_list_of_one(route):
    assert route.openai().completions.create(model=route.model(), prompt=["Once"], stop=["e"]).choices[0].text


# --- responses ---


def calls_of(response):
    return [item for item in response.output if item.type == "function_call"]


def items_of(response):
    """The output as an application sends it back."""
    return [
        item.model_dump(exclude_none=True, exclude={"status", "parsed_arguments"}, mode="json")
        for item in response.output
    ]


def test_response(route):
    with route.bill() as spent:
        done = route.openai().responses.create(
            model=route.model(), input="Tell me about gateways.", instructions="Be brief.", store=False
        )
    route.check_path("responses")
    assert (done.object, done.status, done.error) == ("response", "completed", None)
    assert done.output_text
    assert (done.usage.input_tokens, done.usage.output_tokens) == (spent["input_tokens"], spent["output_tokens"])
    assert "Be brief." in route.received()["body"]


def test_response_stream(route):
    body = {"model": route.model("mock-stream-5"), "input": "Hello", "store": False}
    events = list(route.openai().responses.create(**body, stream=True))
    kinds = [event.type for event in events]
    head = ["created", "in_progress", "output_item.added", "content_part.added"]
    tail = ["output_text.done", "content_part.done", "output_item.done", "completed"]
    deltas = ["output_text.delta"] * (len(kinds) - 8)
    assert kinds == [f"response.{kind}" for kind in [*head, *deltas, *tail]]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text == routes.WORDS
    assert len({event.item_id for event in events if hasattr(event, "item_id")}) == 1


def test_the_response_stream_helper_builds_the_final_response(route):
    with route.bill() as spent:
        with route.openai().responses.stream(model=route.model(), input="Hello", store=False) as stream:
            text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
            done = stream.get_final_response()
    assert done.output_text == text != ""
    assert (done.usage.input_tokens, done.usage.output_tokens) == (spent["input_tokens"], spent["output_tokens"])


def test_response_that_is_cut(route):
    done = route.openai().responses.create(model=route.model(), input="Hello", max_output_tokens=16, store=False)
    assert (done.status, done.incomplete_details.reason) == ("incomplete", "max_output_tokens")


@pytest.mark.parametrize("streamed", [False, True])
def test_response_with_tools_and_their_results(route, streamed):
    client = route.openai()

    def say(conversation):
        body = {"model": route.model(), "tools": RESPONSE_TOOLS[:1], "input": conversation, "store": False}
        if not streamed:
            return client.responses.create(**body)
        with client.responses.stream(**body) as stream:
            return stream.get_final_response()

    conversation = ask("What is the weather in both Oslo and Rome?")
    done = say(conversation)
    calls = calls_of(done)
    assert [json.loads(call.arguments)["city"] for call in calls] == ["Oslo", "Rome"]
    texts = zip(calls, ("3 degrees", "21 degrees"), strict=True)
    back = [{"type": "function_call_output", "call_id": call.call_id, "output": text} for call, text in texts]
    final = say([*conversation, *items_of(done), *back])
    assert "3 degrees\n21 degrees" in final.output_text


def test_response_with_a_structured_answer(route):
    body = {"model": route.model(), "input": "Name a town", "text_format": Town, "store": False}
    assert isinstance(route.openai().responses.parse(**body).output_parsed, Town)


def test_response_to_images(route):
    parts = [{"type": "input_image", "image_url": url, "detail": "auto"} for url in (PIXEL, URL)]
    content = [{"type": "input_text", "text": "What is it?"}, *parts]
    body = {"model": route.model(), "input": [{"role": "user", "content": content}], "store": False}
    assert route.openai().responses.create(**body).output_text
    sent = route.received()["body"]
    assert PIXEL.split(",")[1] in sent and URL in sent


def test_a_refused_response(route):
    body = {"model": route.model("mock-refusal"), "input": "Hello", "store": False}
    done = route.openai().responses.create(**body)
    if route.name == "anthropic":
        assert (done.status, done.incomplete_details.reason) == ("incomplete", "content_filter")
    else:
        assert done.output[0].content[0].type == "refusal"


def test_thoughts_in_responses_go_round(only):
    route = only("anthropic")
    body = {"model": route.model(), "tools": RESPONSE_TOOLS, "store": False, "reasoning": {"effort": "high"}}
    body["include"] = ["reasoning.encrypted_content"]
    conversation = ask("Weather in Oslo")
    with route.openai().responses.stream(**body, input=conversation) as stream:
        done = stream.get_final_response()
    assert [item.type for item in done.output] == ["reasoning", "function_call"]
    [call] = calls_of(done)
    back = {"type": "function_call_output", "call_id": call.call_id, "output": "3 degrees"}
    final = route.openai().responses.create(**body, input=[*conversation, *items_of(done), back])
    assert "3 degrees" in final.output_text
    kinds = [block["type"] for block in route.body()["messages"][1]["content"]]
    assert kinds == ["thinking", "tool_use"], "the upstream has checked the signature"


def test_thoughts_of_a_compatible_upstream_in_responses(only):
    route = only("chat")
    done = route.openai().responses.create(model=route.model("mock-thinks"), input="Hello", store=False)
    assert [item.type for item in done.output] == ["reasoning", "message"]


@pytest.mark.parametrize("name", ["anthropic", "chat"])
@pytest.mark.parametrize(
    "member", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}, {"background": True}]
)
def test_what_needs_a_memory_is_refused_where_there_is_none(only, name, member):
    route = only(name)
    with pytest.raises(openai.BadRequestError) as error:
        route.openai().responses.create(model=route.model(), input="Hello", **member)
    assert next(iter(member)) in str(error.value)


# --- errors and models, in every dialect ---


def speak(route, dialect, model, **more):
    client = route.openai()
    if dialect == "chat":
        return client.chat.completions.create(model=route.model(model), messages=HI, **more)
    if dialect == "completions":
        return client.completions.create(model=route.model(model), prompt="Once", **more)
    return client.responses.create(model=route.model(model), input="Hello", store=False, **more)


@pytest.fixture(params=["chat", "completions", "responses"])
def dialect(request):
    return request.param


def test_upstream_errors_have_openais_shape(through, dialect):
    for model, kind, status in [
        ("mock-400", openai.BadRequestError, 400),
        ("mock-429", openai.RateLimitError, 429),
        ("mock-500", openai.InternalServerError, 502),
        ("mock-401", openai.InternalServerError, 502),
        ("mock-garbage", openai.InternalServerError, 502),
    ]:
        with pytest.raises(kind) as error:
            speak(through, dialect, model)
        assert error.value.status_code == status, model
        assert error.value.response.json()["error"]["message"]


@pytest.mark.parametrize("model", ["mock-cut-2", "mock-eof-2", "mock-error-2"])
def test_a_stream_that_breaks_raises(through, dialect, model):
    seen = 0
    with pytest.raises(openai.APIError) as error:
        for _ in speak(through, dialect, model, stream=True):
            seen += 1
    assert not isinstance(error.value, openai.APIConnectionError), "a typed error, not a cut connection"
    assert seen


def test_an_unknown_model_is_not_found(through, dialect):
    client = through.openai()
    body = {"chat": {"messages": HI}, "completions": {"prompt": "x"}, "responses": {"input": "x"}}[dialect]
    path = {"chat": "/chat/completions"}.get(dialect, f"/{dialect}")
    with pytest.raises(openai.NotFoundError) as error:
        client.post(path, body={"model": "nobody", **body}, cast_to=object)
    assert error.value.code == "model_not_found"


def test_models_in_openais_shape(through):
    page = through.openai().models.list()
    assert page.object == "list"
    ids = [model.id for model in page]
    assert {f"{name}/{plain}" for name, (*_, plain) in routes.UPSTREAMS.items()} <= set(ids)
