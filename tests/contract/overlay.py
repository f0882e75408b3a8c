"""What Sluice answers beyond the contract's letter, added to the contract instead of leaving checks out.

The contract documents 200 and 400. A gateway also refuses strangers, wrong methods, media types and sizes, and
tells of its upstream; each with the contract's own error schema. `finish_reason` and `usage` of stream chunks may
be null, as upstreams send them and every client expects: the one deliberate departure.
"""

import copy

STATUSES = (401, 403, 404, 405, 408, 413, 415, 429, 500, 502, 503, 504)


def overlay(contract):
    contract = copy.deepcopy(contract)
    schemas = contract["components"]["schemas"]
    operation = contract["paths"]["/openai/v1/completions"]["post"]
    refused = operation["responses"]["400"]
    problem = {"application/problem+json": refused["content"]["application/json"]}
    refused["content"] = refused["content"] | problem
    for status in STATUSES:
        operation["responses"][str(status)] = refused | {"description": "beyond the contract"}

    chunk = copy.deepcopy(schemas["Completion"])
    chunk["properties"]["choices"]["items"] = {"$ref": "#/components/schemas/ChunkChoice"}
    chunk["properties"]["usage"] = {"anyOf": [chunk["properties"]["usage"], {"type": "null"}]}
    choice = copy.deepcopy(schemas["CompletionChoice"])
    choice["properties"]["finish_reason"]["type"] = ["string", "null"]
    schemas |= {"Chunk": chunk, "ChunkChoice": choice}
    # The contract describes a stream as a list of events; the checks look at one event at a time.
    media = operation["responses"]["200"]["content"]["text/event-stream"]
    event = copy.deepcopy(media["schema"]["items"])
    event["properties"]["data"] = {"$ref": "#/components/schemas/Chunk"}
    media["schema"] = event
    return contract
