"""Paragraphs of `Field: value` lines, the syntax of Debian's control files (deb822(5))."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def parse_paragraphs(text: str) -> Iterator[Mapping[str, str]]:
    """Yield each paragraph's fields, names in lower case, continuation lines kept apart.

    Lines that begin with `#` are comments.
    """
    for paragraph in _split(text):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph:
            if line[0] in " \t":
                fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
                continue
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
        yield fields


def _split(text: str) -> Iterator[list[str]]:
    paragraph: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield paragraph
            paragraph = []
    if paragraph:
        yield paragraph
