"""What is found by rule: personal data, and words from a list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
PHONE = re.compile(r"(?<!\w)\+\d[\d ()/-]{7,17}\d\b")
CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")


@dataclass(frozen=True)
class Finding:
    """A stretch of text, and why it must not be said."""

    rule: str
    start: int
    end: int


def is_card_number(digits: str) -> bool:
    """Tell whether the check digit is right (ISO/IEC 7812-1, Luhn)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def find_personal_data(text: str) -> Iterator[Finding]:
    """Find addresses, telephone and card numbers."""
    for rule, pattern in (("email", EMAIL), ("phone", PHONE)):
        for match in pattern.finditer(text):
            yield Finding(rule, *match.span())
    for match in CARD.finditer(text):
        if is_card_number(re.sub(r"\D", "", match[0])):
            yield Finding("card", *match.span())


def find_words(text: str, words: Iterable[str]) -> Iterator[Finding]:
    """Find whole words of a list, in any case."""
    for word in words:
        for match in re.finditer(rf"\b{re.escape(word)}\b", text, re.IGNORECASE):
            yield Finding("word", *match.span())


def mask(text: str, findings: Iterable[Finding]) -> str:
    """Put asterisks over what was found."""
    letters = list(text)
    for finding in findings:
        for at in range(finding.start, finding.end):
            letters[at] = "*"
    return "".join(letters)
