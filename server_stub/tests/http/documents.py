"""What holds for each OpenAPI document that the server gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema


def check_whole(document: Any) -> None:
    """Nothing that it refers to is missing, its schemas are schemas, and no two operations have one name."""
    schemas = document["components"]["schemas"]
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    names = [described["operationId"] for methods in document["paths"].values() for described in methods.values()]
    assert len(names) == len(set(names))


def _references(value: Any) -> Iterator[str]:
    match value:
        case dict():
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for each in value.values():
                yield from _references(each)
        case list():
            for each in value:
                yield from _references(each)
