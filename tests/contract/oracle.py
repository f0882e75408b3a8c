"""Random request bodies, and a judge that knows only the contract's schema.

The judge reads a body as JSON Schema does, with exact numbers, and adds what the design decided beyond the
schema: `format: int64` binds, a name may not stand twice where it is interpreted, and only an object is a body.
"""

import decimal
import json
import random

import jsonschema

WIDE = decimal.Context(
    prec=400, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[decimal.InvalidOperation, decimal.Overflow]
)


def is_integer(_, value):
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, decimal.Decimal) and value == value.to_integral_value())


def int64(_, kind, value, __):
    if kind == "int64" and is_integer(None, value) and not -(2**63) <= value < 2**63:
        yield jsonschema.ValidationError("outside int64")


class Judge:
    """Says what is wrong with a body: the set of places, empty when it is valid, None when it is no JSON."""

    def __init__(self, contract):
        base = jsonschema.Draft202012Validator
        checker = base.TYPE_CHECKER.redefine("integer", is_integer)
        kind = jsonschema.validators.extend(base, {"format": int64}, type_checker=checker)
        self.validator = kind(
            {"$ref": "#/components/schemas/CreateCompletionBody", "components": contract["components"]}
        )

    def faults(self, body):
        try:
            value = parse(body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict):
            return None
        return {place(error) for error in self.validator.iter_errors(value)}


class Pairs(dict):
    """An object that remembers whether a name stood in it twice."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.doubled = len(self) != len(pairs)


def number(text):
    """Exact, whatever the exponent."""
    try:
        return WIDE.create_decimal(text)
    except decimal.DecimalException:
        # Beyond all exponents: only its size matters, and that it is no integer when it is tiny.
        sign = "-" if text.startswith("-") else ""
        return decimal.Decimal(f"{sign}1e{'-' if 'e-' in text.lower() else ''}999999")


def parse(body):
    """The body's value; raises ValueError when it is not JSON that can be read one way only."""

    def constant(name):
        raise ValueError(name)

    text = body.decode("utf-8", "strict")
    if text.startswith("\ufeff"):
        raise ValueError("BOM")
    value = json.loads(text, parse_constant=constant, parse_float=number, object_pairs_hook=Pairs)
    if isinstance(value, Pairs):
        interpreted = [value, value.get("stream_options")]
        if any(isinstance(part, Pairs) and part.doubled for part in interpreted):
            raise ValueError("a name stands twice")
    return value


def place(error):
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return "body" + "".join(parts)


# --- bodies ---

INTEGERS = [
    "0",
    "1",
    "-1",
    "7",
    "7.0",
    "7e0",
    "70e-1",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
]
NOT_INT64 = ["9223372036854775808", "-9223372036854775809", "1e19", "9223372036854775808.0"]
NOT_INTEGERS = ["1.5", "7.00000000000000000001", "1e-3"]
NUMBERS = ["0", "1", "0.5", "1.0", "1e0", "0.1e1", "-0", "-0.0", "2", "2.0", "1.10", "1E+0", "0.0000001", "1e-300"]
OUT_OF_BOUNDS = ["2.0000000000000000000001", "2.1", "-0.1", "1e1", "3", "-1", "1e400", "1.00000000000000000000001"]
STRINGS = ['""', '"x"', '"é😀"', '"\\u00e9\\ud83d\\ude00"', '"\\n\\t\\\\\\"\\/"', '"' + "long " * 50 + '"']
ARRAYS = ["[]", "[1]", '["a"]', '["a","b"]', "[[]]", '["a",1,null]', "[{}]"]
OBJECTS = ["{}", '{"a":1}', '{"type":"ephemeral","ttl":"1h","x":{"b":1,"a":[1.10]}}', '{"include_usage":true}']
BOOLEANS = ["true", "false"]
ANY = INTEGERS + NOT_INT64 + NOT_INTEGERS + NUMBERS + OUT_OF_BOUNDS + STRINGS + ARRAYS + OBJECTS + BOOLEANS + ["null"]

GOOD = {
    "model": ['"served"'],
    "prompt": STRINGS,
    "max_tokens": INTEGERS,
    "max_completion_tokens": INTEGERS,
    "top_k": INTEGERS,
    "seed": INTEGERS,
    "temperature": NUMBERS,
    "top_p": ["1", "0.5", "1.0", "1e-300", "0.1e1"],
    "min_p": ["0", "1", "0.5", "-0"],
    "stop": ["[]", '["a"]', '["a","b","c","d","e"]', '["\\n"]'],
    "stream": BOOLEANS,
    "stream_options": ["{}", '{"include_usage":true}', '{"include_usage":false,"x":1.10}', '{"y":null}'],
    "cache_control": OBJECTS,
    "skip_special_tokens": BOOLEANS,
    "include_stop_str_in_output": BOOLEANS,
    "return_tokens_as_token_ids": BOOLEANS,
    "$schema": ['"https://example.com/x.json"'],
}
UNKNOWN = ["user", "n", "logprobs", "suffix", "guided_json", "x", "é", "\\u0061", "Model", "model ", "stream_option"]
SPACES = ["", "", "", " ", "\n", "\t", "\r\n  "]


def body(random_source: random.Random, invalid: float):
    """One body; each member is wrong, or missing, with the probability `invalid`."""
    choose, chance = random_source.choice, random_source.random
    names = [name for name in GOOD if name in ("model", "prompt") or chance() < 0.3]
    members = []
    for name in names:
        if name in ("model", "prompt") and chance() < invalid / 4:
            continue
        members.append((name, choose(ANY if chance() < invalid else GOOD[name])))
    members += [(name, choose(ANY)) for name in random_source.sample(UNKNOWN, random_source.randrange(3))]
    if chance() < invalid / 4:
        members.append(choose(members) if members else ("x", "1"))
    random_source.shuffle(members)

    def space():
        return choose(SPACES)

    text = ",".join(
        f'{space()}"{escape(name, random_source)}"{space()}:{space()}{value}{space()}' for name, value in members
    )
    return f"{space()}{{{text}}}{space()}".encode()


def escape(name, random_source):
    """Now and then a name is written with an escape: it stays the same name."""
    if random_source.random() < 0.03 and name.isascii() and "\\" not in name:
        at = random_source.randrange(len(name))
        return f"{name[:at]}\\u{ord(name[at]):04x}{name[at + 1 :]}"
    return name


def mutate(text: bytes, random_source: random.Random):
    """A few broken bytes."""
    text = bytearray(text)
    for _ in range(random_source.randrange(1, 4)):
        at = random_source.randrange(len(text) + 1)
        match random_source.randrange(4):
            case 0:
                text[at : at + 1] = b""
            case 1:
                text[at:at] = bytes([random_source.choice(b'{}[]",:\\ \n0-.eE+tfn\x00\x7f\x80\xc3\xff')])
            case 2:
                text[at:] = b""
            case _:
                text[at:at] = random_source.choice(
                    [b"null", b"NaN", b'"a":1,', b"\xef\xbb\xbf", b"//x", b"\\ud800", b"1e"]
                )
    return bytes(text)
