"""The part of JSON Schema (2020-12) that provider.schema.json uses: the file is the one truth, and no library ships for it.

A test compares this with the `jsonschema` library, on files that were spoiled in every way.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "null": (type(None),),
}


def faults(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """What is wrong with a value, each as "where: what"."""
    if "$ref" in schema:
        target = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        yield from faults(value, target, root, at)
    types = schema.get("type", [])
    wanted = [types] if isinstance(types, str) else types
    if wanted and not any(isinstance(value, _TYPES[one]) and not isinstance(value, bool) for one in wanted):
        yield f"{at or 'the file'}: is not {' or '.join(wanted)}"
    else:
        yield from _faults_of_its_type(value, schema, root, at)


def _faults_of_its_type(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str) -> Iterator[str]:
    if "const" in schema and (type(value), value) != (type(schema["const"]), schema["const"]):  # 1 is not true
        yield f"{at}: is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: is none of {', '.join(schema['enum'])}"
    if isinstance(value, str):
        yield from _text_faults(value, schema, at)
    elif isinstance(value, int):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{at}: is not from {schema['minimum']} to {schema['maximum']}"
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{at}: has {len(value)} items"
        for number, item in enumerate(value):
            yield from faults(item, schema.get("items", {}), root, f"{at}[{number}]")
    elif isinstance(value, dict):
        yield from _object_faults(value, schema, root, at)


def _text_faults(value: str, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield f"{at}: is empty"
    if not re.search(schema.get("pattern", ""), value):
        yield f"{at}: does not match {schema['pattern']}"


def _object_faults(value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], at: str) -> Iterator[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield f"{at or 'the file'}: lacks {name!r}"
    for name, item in value.items():
        where = f"{at}.{name}".removeprefix(".")
        if name in known:
            yield from faults(item, known[name], root, where)
        elif others is False:
            yield f"{where}: is not known here"
        else:
            yield from faults(item, others, root, where)
    if "if" in schema:
        holds = not list(faults(value, schema["if"], root, at))
        yield from faults(value, schema["then" if holds else "else"], root, at)
