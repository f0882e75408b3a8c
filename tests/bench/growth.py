"""Growth."""

SERIES = []


def run(session):
    raise NotImplementedError
