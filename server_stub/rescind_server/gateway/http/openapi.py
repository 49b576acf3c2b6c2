"""The document that describes what is served (OpenAPI 3.1), made of the types that the handlers read and write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from rescind_server.gateway.http import problems
from rescind_server.gateway.http.answers import ProblemBody
from rescind_server.gateway.http.operations import JSON, Operation

PATH: Final = "/openapi.json"

_NAMES: Final = re.compile(r"\{(\w+)\}")
_REFERENCE: Final = "#/components/schemas/{name}"
# What a call can meet: it cannot be meant, its caller is not known or may not, there are too many, the server is off.
_OF_ALL: Final = (400, 429, 503)
_OF_CLOSED: Final = (401, 403)
_OF_BODIES: Final = (413, 415)
# What holds between the fields of a body, which no type says.
_RULES: Final[Mapping[str, Mapping[str, Any]]] = {
    "StreamBody": {
        "anyOf": [
            {"properties": {"on_disconnect": {"enum": ["CANCEL", "DETACH"]}, "grace_ms": {"type": "null"}}},
            {
                "properties": {"on_disconnect": {"const": "CANCEL_AFTER"}, "grace_ms": {"type": "number"}},
                "required": ["on_disconnect", "grace_ms"],
            },
        ]
    }
}


class Described(msgspec.Struct, frozen=True):
    """What a document says of all of its calls.

    Attributes:
        title: of the document.
        description: in a line.
        refused: the type of the answers that are errors.
        media_type: of those.
    """

    title: str = "Rescind"
    description: str = "Durable agents whose work can be taken back."
    refused: Any = ProblemBody
    media_type: str = problems.MEDIA_TYPE


OURS: Final = Described()


def document(
    operations: Sequence[Operation], version: str, *, asks_for_tokens: bool = False, of: Described = OURS
) -> bytes:
    """The document, as JSON.

    Args:
        operations: what is served.
        version: of the server.
        asks_for_tokens: whether it lets in none but holders of tokens.
        of: what is said of all of it.
    """
    types = [of.refused, *_types(operations)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    components = {name: {**schema, **_RULES.get(name, {})} for name, schema in components.items()}
    known = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, known, components, of)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": of.title,
                "version": version,
                "description": of.description,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "security": [{"token": []}] if asks_for_tokens else [{}, {"token": []}],
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _types(operations: Iterable[Operation]) -> list[Any]:
    found: dict[Any, None] = {}
    for operation in operations:
        for each in (operation.query, operation.body, *operation.answers.values()):
            if each is not None and each is not str:
                found[each] = None
    return list(found)


def _described(
    operation: Operation, known: Mapping[Any, Mapping[str, Any]], components: Mapping[str, Any], of: Described
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*_in_path(operation), *_in_query(operation, components), *_in_headers(operation)],
        "responses": _responses(operation, known, of),
    }
    if operation.is_open:
        described["security"] = []
    if operation.body is not None:
        needed = components[operation.body.__name__].get("required")
        described["requestBody"] = {"required": bool(needed), "content": {JSON: {"schema": known[operation.body]}}}
    return described


def _in_path(operation: Operation) -> Iterable[dict[str, Any]]:
    for name in _NAMES.findall(operation.path):
        schema: dict[str, Any] = {"type": "string", "minLength": 1}
        if name == "task_id":
            schema["format"] = "uuid"
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(operation: Operation, components: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    described = components[operation.query.__name__]["properties"]
    for field in msgspec.structs.fields(operation.query):
        schema = _without_null(described[field.encode_name])
        parameter = {"name": field.encode_name, "in": "query", "required": field.required, "schema": schema}
        yield parameter | ({"style": "form", "explode": True} if schema.get("type") == "array" else {})


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A query cannot say null: what may be left out is left out."""
    kept = {name: value for name, value in schema.items() if not (name == "default" and value is None)}
    if "anyOf" in kept:
        wanted = [each for each in kept.pop("anyOf") if each != {"type": "null"}]
        return {**kept, **wanted[0]} if len(wanted) == 1 else {**kept, "anyOf": wanted}
    return kept


def _in_headers(operation: Operation) -> Iterable[dict[str, Any]]:
    if operation.name == "follow_execution":
        schema = {"type": "string", "pattern": r"^[0-9]{1,16}(\.[0-9]{1,16}\.[0-9a-f]{8})?$"}
        yield {"name": "Last-Event-ID", "in": "header", "required": False, "schema": schema}
    if operation.name == "follow_changes":
        schema = {"type": "string", "pattern": r"^[0-9a-f]{8}\.[0-9]{1,16}$"}
        yield {"name": "Last-Event-ID", "in": "header", "required": False, "schema": schema}


def _responses(operation: Operation, known: Mapping[Any, Mapping[str, Any]], of: Described) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, answer in operation.answers.items():
        described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if answer is not None:
            schema = {"type": "string"} if answer is str else known[answer]
            described["content"] = {operation.media_type: {"schema": schema}}
        responses[str(status)] = described
    own = (
        *operation.problems,
        *_OF_ALL,
        *(() if operation.is_open else _OF_CLOSED),
        *(_OF_BODIES if operation.body is not None else ()),
    )
    for status in sorted(own):
        content = {of.media_type: {"schema": known[of.refused]}}
        described = responses.setdefault(str(status), {"description": HTTPStatus(status).phrase, "content": {}})
        described["content"] = {**described["content"], **content}
    return responses
