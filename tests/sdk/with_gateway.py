"""Runs a command with a gateway in front of the mock, in all its parts: `with_gateway.py node openai.mjs`.

The command finds SLUICE_URL and SLUICE_KEY in its environment; its exit code is this one's.
"""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import harness  # noqa: E402
import routes  # noqa: E402

MODELS = ["demo", "vendor/demo-1.0", "mock-echo", "mock-cut-2", "mock-error-2", "mock-500"]


def main():
    with harness.mock() as upstream:
        providers = {"more_providers": routes.providers(upstream)}
        with harness.gateway(upstream, [*MODELS, *routes.models()], **providers) as gateway:
            environment = harness.clean_env(SLUICE_URL=gateway.api, SLUICE_KEY=gateway.key)
            return subprocess.run(sys.argv[1:], env=environment, timeout=300).returncode


if __name__ == "__main__":
    sys.exit(main())
