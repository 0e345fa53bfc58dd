"""Documents held against the official schema of SARIF 2.1.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema

from tests.schemas import schema_of

_ID = "oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json"


def check_sarif(document: Mapping[str, Any]) -> None:
    """Hold a document against the schema."""
    validator = jsonschema.Draft7Validator(schema_of(_ID))
    assert not [error.message for error in validator.iter_errors(document)]
