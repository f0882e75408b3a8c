"""Does what the README says: runs every command of its code blocks as written, and writes the files that it shows.

It goes through the README as a reader would who sits in a clone. Commands run in a folder that has what the clone
has; a `yaml` block whose first line is a comment with a file's name (`# sluice.yaml`) is written to that file. A
command that ends in `&` goes on until the section ends. Where nothing was started, the demo answers, which begins as
the README says (`cargo run --release`).

Only ports differ, so that a Sluice that already runs here does not answer in its place. curl has to be answered
with 200, or with the statuses that its block names, and each of those has to come. Everything else has to end with
0, or with the exit code that its line names (`exits with 3`). What needs a machine of another kind is told as not run,
with what is run instead.
"""

import contextlib
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import harness

BLOCK = re.compile(r"^```(sh|bash|console|shell|yaml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## ", re.MULTILINE)
DEMO = "cargo run --release"
DOCUMENTED = (4000, 4001, 4010)

# What cannot be run here, and what is run instead; what follows in the same block depends on it.
ELSEWHERE = {
    "tests/run": "is what runs this",
    "docker": "needs a container engine; `tests/run deploy` checks the files, runs what is in them, and asks that this",
    "helm": "needs a cluster; `tests/run deploy` renders, validates and packs the chart, and runs its pods' commands",
    "kubectl": "needs a cluster; `tests/run deploy` renders and validates the manifests",
    "install": "changes the machine; `tests/run deploy` does it under a systemd of its own",
    "cargo install": "builds it once more; `tests/run deploy` does it",
    "deploy/release": "builds it once more; `tests/run deploy` does it around a binary that is built",
    "python3 tests/bench": "takes half an hour; `tests/run bench` takes each figure for a moment, without a profile",
}


class Reader:
    """Somebody who follows the README."""

    def __init__(self, folder):
        self.folder, self.failed, self.seen = folder, 0, ""
        self.ports = {port: harness.free_port() for port in DOCUMENTED}
        self.running = contextlib.ExitStack()
        self.serves = False
        for entry in harness.ROOT.iterdir():
            if entry.name not in (".git", "sluice.yaml"):
                (folder / entry.name).symlink_to(entry)
        (folder / ".curlrc").write_text('silent\nshow-error\nwrite-out = "\\n#status=%{http_code}\\n"\n')
        self.env = harness.clean_env(
            CURL_HOME=str(folder),
            PATH=f"{harness.ROOT / 'target/release'}:{os.environ['PATH']}",
            SLUICE__LISTENERS__API__BIND=f"127.0.0.1:{self.ports[4000]}",
            SLUICE__LISTENERS__ADMIN__BIND=f"127.0.0.1:{self.ports[4001]}",
        )

    def placed(self, text):
        for documented, actual in self.ports.items():
            text = re.sub(rf"(127\.0\.0\.1|localhost):{documented}\b", f"127.0.0.1:{actual}", text)
        return text

    def ready(self):
        return harness.answers(f"http://127.0.0.1:{self.ports[4001]}/readyz")

    def start(self, command, ready, seconds=20, cwd=None):
        args = ["env", *(f"{name}={value}" for name, value in self.env.items()), *shlex.split(command)]
        process = harness.running(args, ready, seconds=seconds, cwd=cwd or self.folder, stdout=subprocess.DEVNULL)
        self.running.enter_context(process)

    def demo(self):
        if not self.serves:
            self.serves = True
            # It may have to build first.
            self.start(DEMO + " --quiet", self.ready, seconds=1800, cwd=harness.ROOT)

    def section(self, text):
        for language, block in BLOCK.findall(text):
            name = re.match(r"# (\S+\.yaml)\n", block)
            if language != "yaml":
                self.block(block)
            elif name:
                (self.folder / name.group(1)).write_text(self.placed(block), encoding="utf-8")
        self.running.close()
        self.serves = False

    def block(self, block):
        wanted = set(re.findall(r"\b[45]\d\d\b", block))
        came = set()
        for command in commands(block):
            why = next((why for word, why in ELSEWHERE.items() if re.match(rf"{word}\b", command)), None)
            if why:
                print(f"not run  {command}\n         {why}")
                return
            came |= self.command(command, wanted)
        if wanted - came:
            self.fail(f"nothing was answered with {', '.join(sorted(wanted - came))}")

    def command(self, command, wanted):
        command = self.placed(command)
        if command == DEMO:
            self.demo()
            print(f"runs     {command}")
            return set()
        if command.endswith("&"):
            address = re.search(r"--listen (\S+)", command)
            self.serves |= address is None
            ready = (lambda: harness.listens(address.group(1))) if address else self.ready
            self.start(command.removesuffix("&"), ready)
            print(f"runs     {command}")
            return set()
        if "curl" in command:
            self.demo()
        done = subprocess.run(
            ["bash", "-c", command], env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=120
        )
        self.seen += done.stdout
        statuses = set(re.findall(r"^#status=(\d+)$", done.stdout, re.MULTILINE))
        expected = re.search(r"# .*exits with (\d+)", command)
        good = done.returncode == int(expected.group(1) if expected else 0)
        good &= statuses <= wanted | {"200"} and bool(statuses) == ("curl" in command)
        print(f"{' '.join(sorted(statuses)) or 'exit ' + str(done.returncode):<8} {command}")
        if not good:
            self.fail(done.stdout + done.stderr)
        return statuses

    def fail(self, why):
        self.failed += 1
        print(f"FAILED   {why}")


def commands(block):
    """The commands of a block: continued lines joined, loops kept whole, comments left out."""
    open_words, command = 0, ""
    for line in re.sub(r"\\\n\s*", " ", block).splitlines():
        line = line.removeprefix("$ ").strip()
        if not line or line.startswith("#"):
            continue
        open_words += len(re.findall(r"^(?:for|while|if)\b", line)) - len(re.findall(r"\b(?:done|fi)$", line))
        command += ("\n" if command else "") + line
        if open_words <= 0:
            yield command
            command = ""


def main():
    readme = (harness.ROOT / "README.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(pathlib.Path(folder))
        for section in SECTION.split(readme):
            with reader.running:
                reader.section(section)
    for what in ('"text_completion"', "data: [DONE]", '"object":"list"'):
        if what not in reader.seen.replace('": "', '":"'):
            reader.fail(f"no answer holds {what}: the README should show a completion, a stream and the models")
    if reader.failed:
        sys.exit(f"{reader.failed} of the README's promises failed")


if __name__ == "__main__":
    main()
