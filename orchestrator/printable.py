"""Text from elsewhere, as a terminal and a log may be given it."""

from __future__ import annotations

import re

_USER = re.compile(r"(?<=://)[^\s/'\"]*@")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but line ends and tabs
    r"\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # unseen, or reordering
    r"\ud800-\udfff\U000e0000-\U000e007f]"  # file names that are no UTF-8; tags
)


def printable(text: str) -> str:
    """Return text without what moves a cursor, hides or reorders: it is escaped, colours go.

    So do users and passwords in addresses. Lines stay lines, and what `printable` returned stays.
    """
    return _UNPRINTABLE.sub(_escaped, _COLOUR.sub("", _USER.sub("***@", text)))


def short(text: str, most: int = 200) -> str:
    """Return text of so many characters at most, the middle of a longer one left out."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} ... {text[-(most // 2) + 5 :]}"


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
