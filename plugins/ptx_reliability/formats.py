"""Whether a reply has the required form: JSON of a schema, or a pattern. Pure functions."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema

from ptx.guard import patterns

FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n?```", re.DOTALL)


def wrong_json(reply: str, schema: Any, where: str = "") -> str:
    """Why a reply is not JSON of the schema; "" if it is.

    One code fence around it is allowed, other text is not.
    """
    fenced = FENCE.fullmatch(reply.strip())
    try:
        value = json.loads(fenced.group(1) if fenced else reply)
    except ValueError as error:
        return f"not JSON: {error}"
    with patterns.limited("", reply, f"{where}, schema"):
        errors = sorted(
            jsonschema.validators.validator_for(schema)(schema).iter_errors(value),
            key=lambda error: list(map(str, error.path)),
        )
    return f"{errors[0].json_path}: {errors[0].message}" if errors else ""


def wrong_form(reply: str, pattern: str, where: str = "") -> str:
    """Why a reply does not match; "" if it does. White space at its ends is ignored."""
    wanted = patterns.compile(pattern, where=where)
    return "" if wanted.fullmatch(reply.strip()) else "does not match the pattern"
