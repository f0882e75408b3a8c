"""Where the tests of the dialects send their requests: to each kind of upstream through the gateway, and straight to
the mock. The straight way proves the tests themselves: what they expect is what the provider answers.
"""

import contextlib
import json
import time
import urllib.request

import anthropic
import openai

# Of each kind: the mock's base URL, the provider's further members, and an ordinary model that is known of it.
UPSTREAMS = {
    "anthropic": ("anthropic", "/anthropic/v1", [], "claude-sonnet-4-5"),
    "chat": ("openai_compatible", "/chat-only/v1", ["endpoints: [chat]"], "qwen3-32b"),
    "openai": ("openai", "/strict/v1", [], "gpt-4o"),
    "azure": ("azure", "/openai", ['api_version: "2024-10-21"'], "gpt-4o"),
    "azure-v1": ("azure", "/openai/v1", [], "gpt-4o"),
}
# Models of the mock that do something special, at every upstream.
SPECIAL = [
    "mock-stream-5", "mock-thinks", "mock-chatty", "mock-refusal", "mock-filter", "mock-filter-prompt", "mock-redacted",
    "mock-cut-2", "mock-eof-2", "mock-error-2", "mock-garbage", "mock-400", "mock-401", "mock-404", "mock-429",
    "mock-500", "mock-529",
]  # fmt: skip
# What the words of `mock-stream-5` come to.
WORDS = " one two and then the"


def providers(upstream):
    """The providers of a gateway that has all of them; `upstream` is the mock's address."""
    made = []
    for name, (kind, path, members, _) in UPSTREAMS.items():
        lines = [f"kind: {kind}", f'base_url: "http://{upstream}{path}"', "allow_private: true"]
        lines += ["keys: [{name: main, value: sk-provider-secret}]", *members]
        made.append("\n    ".join([f"  - name: {name}", *lines]))
    return made


def models():
    """Every upstream's models, named `upstream/model`."""
    entry = "  - {{name: {0}/{1}, targets: [{{provider: {0}, model: {1}}}]}}"
    return [entry.format(name, model) for name, (*_, plain) in UPSTREAMS.items() for model in [plain, *SPECIAL]]


class Route:
    """A way to an upstream."""

    def __init__(self, name, mock, gateway=None):
        self.name, self.mock, self.gateway = name, f"http://{mock}", gateway
        self.direct = gateway is None
        self.key = "sk-any" if self.direct else gateway.key
        self.anthropic_url = f"{self.mock}/anthropic" if self.direct else gateway.api
        self.openai_url = f"{self.mock}/strict/v1" if self.direct else f"{gateway.api}/v1"

    def anthropic(self, **options):
        """The Anthropic SDK, which does not retry."""
        options = {"base_url": self.anthropic_url, "api_key": self.key, "max_retries": 0} | options
        return anthropic.Anthropic(**options)

    def openai(self, **options):
        """The OpenAI SDK, which does not retry."""
        return openai.OpenAI(**({"base_url": self.openai_url, "api_key": self.key, "max_retries": 0} | options))

    def model(self, name=None):
        """A model's name on this way; without a name an ordinary one."""
        if self.direct:
            return name or "gpt-4o"
        return f"{self.name}/{name or UPSTREAMS[self.name][3]}"

    def speaks(self, dialect):
        """Whether the upstream has the dialect, so that nothing is translated."""
        native = {"anthropic": ["messages"], "chat": ["chat"], "azure": ["chat", "completions"]}
        return self.direct or dialect in native.get(self.name, ["chat", "completions", "responses"])

    def arrives_as(self, dialect):
        """The dialect in which the upstream is asked."""
        if self.speaks(dialect):
            return dialect
        return "messages" if self.name == "anthropic" else "chat"

    def control(self, action):
        with urllib.request.urlopen(f"{self.mock}/__mock/{action}", timeout=10) as answer:
            return json.load(answer)

    def received(self, nth=-1):
        """The last request that the upstream received."""
        return self.control("requests")[nth]

    def body(self, nth=-1):
        """Its body."""
        return json.loads(self.received(nth)["body"])

    def stats(self):
        """The mock's counters, when it has nothing in hand."""
        for _ in range(500):
            stats = self.control("stats")
            if stats["in_flight"] == 0:
                break
            time.sleep(0.01)
        return stats

    @contextlib.contextmanager
    def bill(self):
        """What the upstream has spent in the block: filled in at its end."""
        spent, before = {}, self.stats()["finished"]
        yield spent
        spent |= {name: count - before[name] for name, count in self.stats()["finished"].items()}

    def check_path(self, dialect):
        """The last request came to the path of the dialect that the upstream has."""
        if self.direct:
            return
        paths = {"chat": "/chat/completions", "completions": "/completions"}
        dialect = self.arrives_as(dialect)
        base = UPSTREAMS[self.name][1]
        if self.name == "azure":
            base += "/deployments"
        path = self.received()["path"].split("?")[0]
        assert path.startswith(base) and path.endswith(paths.get(dialect, f"/{dialect}")), path
