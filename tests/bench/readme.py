"""The README's table."""


def write():
    raise NotImplementedError


def check():
    raise NotImplementedError
