"""The callers: what each of them asks, how often, and what came of it, as they saw it.

A call is made of its seed alone, so that two runs ask the same. Calls are sent at their time by whichever thread is
free; a late one is late, never dropped.
"""

import collections
import http.client
import json
import queue
import random
import threading
import time
import uuid
from dataclasses import dataclass, field

# How many words the parts of a prompt have: what all requests of a caller share, and what only one says.
SHARED = {"support-bot": 500, "support-agents": 400}
OWN = {"research-notebook": 900, "research-eval": 500, "nightly": 600, "intern": 300}
TEXT = "the gateway counts what a tenant asked of its models and what a stream of tokens costs before it ends"

CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
MESSAGES, RESPONSES, MODELS = "/v1/messages", "/v1/responses", "/v1/models"
LABELS = {
    CHAT: "chat",
    COMPLETIONS: "completions",
    EMBEDDINGS: "embeddings",
    MESSAGES: "messages",
    RESPONSES: "responses",
    MODELS: "models",
}


@dataclass
class Call:
    """One request, and what its sender saw."""

    at: float
    key: str
    endpoint: str
    model: str
    stream: bool = False
    seed: int | None = None
    headers: dict = field(default_factory=dict)
    leave_after: int | None = None  # events of a stream, 0 for before the answer
    more: dict = field(default_factory=dict)
    replica: int = 0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    # What came of it.
    status: int = 0
    code: str | None = None  # of an error, in the body or in the stream
    said: str = ""  # its words
    cache: str | None = None
    attempts: int | None = None
    usage: dict | None = None  # as the answer tells it
    left: bool = False
    whole: bool = False

    def fails(self, error):
        # Anthropic's errors have a type alone.
        self.code, self.said = error.get("code") or error["type"], error["message"]

    @property
    def ok(self):
        return self.whole and self.status == 200 and self.code is None


def words(chance, count):
    return " ".join(chance.choice(TEXT.split()) for _ in range(count))


def body_of(call):
    """What the call says. Prompts of a caller begin alike; with the same seed they are the same."""
    chance = random.Random(call.seed if call.seed is not None else call.id)
    shared = words(random.Random(call.key), SHARED.get(call.key, 160))
    own = words(chance, OWN.get(call.key, 60))
    body = {"model": call.model, **({"stream": True} if call.stream else {})}
    if call.endpoint == CHAT:
        body["messages"] = [{"role": "system", "content": shared}, {"role": "user", "content": own}]
        body["max_tokens"] = 400
    elif call.endpoint == COMPLETIONS:
        body |= {"prompt": f"{shared} {own}", "max_tokens": 200}
    elif call.endpoint == EMBEDDINGS:
        body["input"] = own
    elif call.endpoint == MESSAGES:
        mark = {"cache_control": {"type": "ephemeral"}}
        body |= {"system": [{"type": "text", "text": shared, **mark}], "max_tokens": 400}
        body["messages"] = [{"role": "user", "content": own}]
    elif call.endpoint == RESPONSES:
        body |= {"instructions": shared, "input": own, "store": False}
    if call.seed is not None and call.endpoint in (CHAT, COMPLETIONS):
        body["seed"] = call.seed
    if call.stream and call.endpoint in (CHAT, COMPLETIONS):
        body["stream_options"] = {"include_usage": True}
    return body | call.more


class Sender(threading.Thread):
    """Sends calls one after the other, each over a connection that it keeps."""

    def __init__(self, calls, done, replicas, secrets):
        super().__init__(daemon=True)
        self.calls, self.done, self.replicas, self.secrets = calls, done, replicas, secrets
        self.connections = {}

    def run(self):
        while (call := self.calls.get()) is not None:
            try:
                self.send(call)
            except (OSError, http.client.HTTPException) as error:
                call.code = f"{type(error).__name__}: {error}"
                self.connections.pop(call.replica, None)
            self.done.append(call)
        for connection in self.connections.values():
            connection.close()

    def send(self, call):
        address = self.replicas[call.replica].api
        connection = self.connections.setdefault(call.replica, http.client.HTTPConnection(address, timeout=30))
        headers = {"x-request-id": call.id, "content-type": "application/json", **call.headers}
        if call.key:
            headers.setdefault("authorization", f"Bearer {self.secrets.get(call.key, call.key)}")
        if call.endpoint == MESSAGES:
            headers["anthropic-version"] = "2023-06-01"
        if call.endpoint == MODELS:
            connection.request("GET", call.endpoint, headers=headers)
        else:
            connection.request("POST", call.endpoint, json.dumps(body_of(call)), headers)
        if call.leave_after == 0:
            time.sleep(0.05)
            return self.leave(call)
        answer = connection.getresponse()
        call.status = answer.status
        call.cache = (answer.getheader("x-sluice-cache") or "").partition(";")[0] or None
        tries = answer.getheader("x-sluice-attempts")
        call.attempts = int(tries) if tries is not None else None
        if (answer.getheader("content-type") or "").startswith("text/event-stream"):
            return self.read_events(call, answer)
        document = json.loads(answer.read())
        call.whole, call.usage = True, document.get("usage")
        if call.status >= 400:
            call.fails(document["error"])
        return None

    def read_events(self, call, answer):
        events = 0
        for line in answer:
            if not line.startswith(b"data:"):
                continue
            events += 1
            if b'"error"' in line and isinstance(error := json.loads(line[5:]).get("error"), dict):
                call.fails(error)
            if b'"usage":{' in line:
                call.usage = json.loads(line[5:]).get("usage")
            if events == call.leave_after:
                return self.leave(call)
        call.whole = True
        return None

    def leave(self, call):
        self.connections.pop(call.replica).close()
        call.left = True


def send_all(calls, replicas, secrets, began, threads=72):
    """Sends calls at their times, `began` being their zero; all of them, with what came of them."""
    waiting, done = queue.SimpleQueue(), collections.deque()
    senders = [Sender(waiting, done, replicas, secrets) for _ in range(threads)]
    for sender in senders:
        sender.start()
    for call in sorted(calls, key=lambda call: call.at):
        time.sleep(max(0.0, began + call.at - time.time()))
        waiting.put(call)
    for _ in senders:
        waiting.put(None)
    for sender in senders:
        sender.join(40)
    return list(done)
