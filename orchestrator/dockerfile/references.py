"""What can be an image's reference in a Dockerfile."""

from __future__ import annotations

import re

_REFERENCE = re.compile(
    r"(?:(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@[a-z0-9]+:[0-9a-f]{32,})?"
)
_PLACEHOLDER = re.compile(
    r"(?:^|[/:])(?:placeholder|change-?me|replace-?me|todo|tbd)(?=$|[:@])", re.IGNORECASE
)


def is_reference(text: str) -> bool:
    """Tell whether a text names an image, by the grammar of references (OCI distribution).

    A name that is a placeholder by all appearances does not, nor does a number.
    """
    is_name = _REFERENCE.fullmatch(text) is not None and not text.isdigit()
    return is_name and not _PLACEHOLDER.search(text)
