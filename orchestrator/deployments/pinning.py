"""Images of deployment files put in the place of what is there: edits of scalars, nothing else.

Source: Kustomize's reference, kustomization file, "images"; YAML 1.2.2, 7.3 for what needs quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.deployments.values import Form, ImageUse, Part, Room, Written

_BREAK = re.compile(r"\r\n|\n|\r|\Z")
_PLAIN = re.compile(r"[A-Za-z][\w.-]*[\w.:/@-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_KEYS = {
    Form.KUSTOMIZE: {Part.REPOSITORY: "newName", Part.TAG: "newTag", Part.DIGEST: "digest"},
    Form.HELM: {Part.TAG: "tag", Part.DIGEST: "digest"},
}


class ConflictError(Exception):
    """Two images share what stands at an offset of a text, and would put different things there."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Pinned:
    """An image as it is published: host, path of the repository, a tag, and what that names."""

    host: str
    path: str
    tag: str
    digest: str

    @property
    def repository(self) -> str:
        """Return `HOST/PATH`."""
        return f"{self.host}/{self.path}"

    def __str__(self) -> str:
        """Return `HOST/PATH:TAG@DIGEST`."""
        return f"{self.repository}:{self.tag}@{self.digest}"


@dataclass(frozen=True, slots=True, order=True)
class TextEdit:
    """A text that takes the place of `[start:end]` of another; nothing there is an insertion."""

    start: int
    end: int
    text: str


def pin_image(use: ImageUse, text: str, pinned: Pinned) -> Iterator[TextEdit]:
    """Yield what must change in a file's text so that a use names an image by digest.

    Nothing where it does so already. A tag stays beside the digest. In the values of a chart
    without a key for the digest, it stands behind the tag: charts put `repository:tag` together.
    """
    whole = use.part(Part.REFERENCE)
    wanted = {Part.REFERENCE: str(pinned)} if whole else _wanted(use, pinned)
    missing = {}
    for part, value in wanted.items():
        written = use.part(part)
        if written and not _is_name_of_entry(use, written, text):
            yield from _replace(written, value, text)
        elif blank := use.blank(part):
            yield _fill(blank, value, text)
        elif not (written and written.text == value):
            missing[_KEYS[use.form][part]] = value
    if missing and use.room:
        yield _insert(use.room, missing, text)


def apply_edits(text: str, edits: Iterable[TextEdit]) -> str:
    """Return a text with edits made; equal ones, of what several images share, count once.

    Raises:
        ConflictError: Two of them are for the same place, and differ.
    """
    parts, end, last = [], 0, -1
    for edit in sorted(set(edits)):
        if edit.start < end or edit.start == last:
            raise ConflictError(edit.start)
        parts += [text[end : edit.start], edit.text]
        end, last = edit.end, edit.start
    return "".join([*parts, text[end:]])


def _wanted(use: ImageUse, pinned: Pinned) -> dict[Part, str]:
    wanted = {Part.REPOSITORY: pinned.repository, Part.TAG: pinned.tag}
    if use.part(Part.REGISTRY):
        wanted |= {Part.REGISTRY: pinned.host, Part.REPOSITORY: pinned.path}
    if use.form is Form.KUSTOMIZE or use.part(Part.DIGEST) or use.blank(Part.DIGEST):
        return {**wanted, Part.DIGEST: pinned.digest}
    return {**wanted, Part.TAG: f"{pinned.tag}@{pinned.digest}"}


def _is_name_of_entry(use: ImageUse, written: Written, text: str) -> bool:
    """Tell the `name` of a Kustomize entry, which says what is replaced and is never changed."""
    key = text[written.key.start : written.key.end].strip("'\"")
    return use.form is Form.KUSTOMIZE and key == "name"


def _replace(written: Written, value: str, text: str) -> Iterator[TextEdit]:
    if written.text != value:
        start, end = written.span.start, written.span.end
        yield TextEdit(start, end, _scalar(value, text[start]))


def _fill(blank: Written, value: str, text: str) -> TextEdit:
    start, end = blank.span.start, blank.span.end
    if start < end:
        return TextEdit(start, end, _scalar(value, text[start]))
    behind = text.index(":", blank.key.end) + 1
    return TextEdit(behind, behind, f" {_scalar(value)}")


def _insert(room: Room, pairs: Mapping[str, str], text: str) -> TextEdit:
    if room.is_flow:
        quote = text[room.key.start] if text[room.key.start] in "'\"" else ""
        words = (f"{quote}{key}{quote}: {_scalar(value, quote)}, " for key, value in pairs.items())
        return TextEdit(room.key.start, room.key.start, "".join(words))
    after = room.value.end if room.value.start > room.key.start else room.key.end
    found = _BREAK.search(text, after)
    at = found.start() if found else len(text)
    ends, indent = _line_end(text), " " * (room.key.column - 1)
    lines = (f"{ends}{indent}{key}: {_scalar(value)}" for key, value in pairs.items())
    return TextEdit(at, at, "".join(lines))


def _line_end(text: str) -> str:
    found = _BREAK.search(text)
    return found[0] if found and found[0] else "\n"


def _scalar(value: str, quote: str = "") -> str:
    """Return a value as YAML, quoted as what it replaces, or where it would not be read as text."""
    if quote and quote in "'\"":
        return f"{quote}{value}{quote}"
    is_text = "@" in value or "/" in value or ":" in value or _PLAIN.fullmatch(value)
    return value if is_text and value.lower() not in _WORDS else f'"{value}"'
