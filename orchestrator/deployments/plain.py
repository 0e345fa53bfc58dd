"""Plain YAML: block mappings and sequences of scalars that fit on their line.

Most manifests are that, and a parser of all of YAML takes fifteen times as long for them. What is
the least bit different is left to that parser; both give one tree for what both read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.deployments.tree import Node, Shape

_STRANGE = re.compile("[^\n\x20-\x7e\xa1-\u1fff\u2030-\u2fff\u3001-\ud7ff]")
_QUOTED = r"'[^'\n]*'|\"[^\"\\\n]*\""
_PLAIN = r"[\w/.$(<~+=](?: *[^\s:#]|:(?=\S)|(?<=\S)#)*"
_WORD = rf"(?:{_QUOTED}|[\w/.$][\w/.$-]*)"
_LINE = re.compile(
    r"(?P<indent> *)(?P<dash>- +)?(?:(?P<key>[\w][\w./-]*):(?: +|$))?"
    rf"(?P<value>{_QUOTED}|{_PLAIN}|\[\]|\{{\}}|\[{_WORD}(?:, *{_WORD})*\])?(?: +#.*| *)"
)
_BLANK = re.compile(r" *(?:#.*)?")
_WORDS = re.compile(_WORD)
_DEEPEST = 60


class _NotPlainError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Item:
    """A dash, a key, or a value without a key, and the column it stands in."""

    column: int
    key: Node | None = None
    value: Node | None = None


def parse_plain(text: str, offset: int) -> Node | None:
    """Return the root of a plain document, which begins at an offset; None where it is not."""
    if _STRANGE.search(text):
        return None
    try:
        items = _items(text, offset)
        root, end = _node(items, 0, 0)
    except _NotPlainError:
        return None
    return root if end == len(items) else None


def _items(text: str, offset: int) -> list[_Item]:
    items = []
    for line in text.split("\n"):
        if not _BLANK.fullmatch(line):
            items += _parts(line, offset)
        offset += len(line) + 1
    if not items:
        raise _NotPlainError
    return items


def _parts(line: str, offset: int) -> list[_Item]:
    found = _LINE.fullmatch(line)
    if found is None or not (found["key"] or found["value"]):
        raise _NotPlainError
    items = [_Item(found.end("indent"))] if found["dash"] else []
    value = _value(found, offset) if found["value"] else None
    if found["key"]:
        key = _scalar(found["key"], offset + found.start("key"))
        return [*items, _Item(found.start("key"), key, value)]
    return [*items, _Item(found.start("value"), value=value)]


def _value(found: re.Match[str], offset: int) -> Node:
    text, start = found["value"], offset + found.start("value")
    if text[0] not in "[{":
        return _scalar(text, start)
    shape = Shape.SEQUENCE if text[0] == "[" else Shape.MAPPING
    node = Node(shape, start, start + len(text))
    if shape is Shape.SEQUENCE:
        node.elements = [_scalar(word[0], start + word.start()) for word in _WORDS.finditer(text)]
    return node


def _scalar(text: str, start: int) -> Node:
    shown = text[1:-1] if text[0] in "'\"" else text
    return Node(Shape.SCALAR, start, start + len(text), shown)


def _node(items: list[_Item], index: int, depth: int) -> tuple[Node, int]:
    """Return the node that begins with an item, and the index of what follows it."""
    if depth > _DEEPEST:
        raise _NotPlainError
    item = items[index]
    if item.key:
        return _mapping(items, index, depth)
    if item.value:
        return item.value, index + 1
    return _sequence(items, index, depth)


def _sequence(items: list[_Item], index: int, depth: int) -> tuple[Node, int]:
    column, node = items[index].column, Node(Shape.SEQUENCE, -1, -1)
    while index < len(items) and items[index].column == column and _is_dash(items[index]):
        element, index = _node(items, index + 1, depth + 1)
        node.elements.append(element)
        _check_below(items, index, column)
    node.start, node.end = node.elements[0].start, node.elements[-1].end
    return node, index


def _mapping(items: list[_Item], index: int, depth: int) -> tuple[Node, int]:
    column, node = items[index].column, Node(Shape.MAPPING, -1, -1)
    while index < len(items) and items[index].column == column and items[index].key:
        key, value = items[index].key, items[index].value
        index += 1
        if value is None and index < len(items) and _is_within(items[index], column):
            value, index = _node(items, index, depth + 1)
        if key is not None:
            node.pairs.append((key, value or Node(Shape.SCALAR, key.end, key.end)))
        _check_below(items, index, column)
    node.start, node.end = node.pairs[0][0].start, node.pairs[-1][1].end
    return node, index


def _is_dash(item: _Item) -> bool:
    return item.key is None and item.value is None


def _is_within(item: _Item, column: int) -> bool:
    """Tell whether an item is below a key; a sequence may stand in the key's own column."""
    return item.column > column or (item.column == column and _is_dash(item))


def _check_below(items: list[_Item], index: int, column: int) -> None:
    if index < len(items) and items[index].column > column:
        raise _NotPlainError
