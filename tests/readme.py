"""Runs the README's curl commands as they are written, against the demo that the README starts.

Only the ports differ, so that a Sluice that already runs here does not answer in its place. The demo starts
as the README says (`cargo run --release`), in an empty folder, so that no local configuration is found.
A command is expected to answer 200 unless its code block names another status.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import harness

BLOCK = re.compile(r"^```(?:sh|bash|console|shell)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(block):
    """The curl commands of a code block, line continuations joined."""
    text = re.sub(r"\\\n\s*", " ", block)
    lines = (line.removeprefix("$ ").strip() for line in text.splitlines())
    return [line for line in lines if re.match(r"curl\b", line)]


def run(command, folder, ports, expected):
    for documented, actual in ports.items():
        command = command.replace(documented, actual)
    environment = harness.clean_env(CURL_HOME=str(folder))
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60)
    body, _, status = done.stdout.rpartition("\n#status=")
    print(f"{status.strip() or 'exit ' + str(done.returncode)}  {command}")
    good = done.returncode == 0 and status.strip() in expected
    if not good:
        print(body, done.stderr)
    return good, body


def main():
    readme = (harness.ROOT / "README.md").read_text(encoding="utf-8")
    ports = {f"127.0.0.1:{port}": f"127.0.0.1:{harness.free_port()}" for port in (4000, 4001)}
    ports |= {name.replace("127.0.0.1", "localhost"): actual for name, actual in ports.items()}
    api, admin = ports["127.0.0.1:4000"], ports["127.0.0.1:4001"]
    todo = []
    for block in BLOCK.findall(readme):
        expected = {"200"} | set(re.findall(r"\b[45]\d\d\b", block))
        todo += [(command, expected) for command in commands(block)]
    seen, failed = "", 0
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, ".curlrc").write_text('silent\nshow-error\nwrite-out = "\\n#status=%{http_code}"\n')
        start = ["env", f"SLUICE__LISTENERS__API__BIND={api}", f"SLUICE__LISTENERS__ADMIN__BIND={admin}"]
        start += ["cargo", "run", "--release", "--quiet", "--manifest-path", str(harness.ROOT / "Cargo.toml")]

        def ready():
            return harness.answers(f"http://{admin}/readyz")

        # `cargo run` may have to build first.
        with harness.running(start, ready, seconds=900, cwd=folder, stdout=subprocess.DEVNULL):
            for command, expected in todo:
                good, body = run(command, folder, ports, expected)
                failed += not good
                seen += body
    for what in ('"text_completion"', "data: [DONE]", '"object":"list"'):
        if what not in seen.replace('": "', '":"'):
            failed += 1
            print(f"no answer holds {what}: the README should show a completion, a stream and the models")
    if failed:
        sys.exit(f"{failed} of the README's promises failed")


if __name__ == "__main__":
    main()
