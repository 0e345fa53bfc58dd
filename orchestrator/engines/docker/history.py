"""What is known of the layers of an image in a Docker engine: its history says what each weighs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.oci.layer import Layer, what_made

_NO_LAYER = re.compile(
    r"(?:/bin/sh -c #\(nop\)\s+)?"  # the builder before BuildKit
    r"(?:(?:ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL"
    r"|USER|VOLUME)\s|WORKDIR /$)"
)


def layers_of(diff_ids: Sequence[str], history: Sequence[Mapping[str, Any]]) -> tuple[Layer, ...]:
    """Return an image's layers as far as its engine knows them, from the bottom up.

    The engine keeps layers unpacked: what names one there is its diffID, and its size is that of
    its files. `history` has the newest first, as the engine's API has it, and also what made no
    layer, without saying so. Where it cannot be told which row made which layer, their sizes
    are 0.
    """
    rows = [
        row
        for row in reversed(history)
        if row.get("Size") or not _NO_LAYER.match(row.get("CreatedBy") or "")
    ]
    if len(rows) != len(diff_ids):
        rows = [{}] * len(diff_ids)
    return tuple(
        Layer(diff_id, diff_id, size_bytes, size_bytes, what_made(row.get("CreatedBy") or ""))
        for diff_id, row in zip(diff_ids, rows, strict=True)
        for size_bytes in [int(row.get("Size") or 0)]
    )
