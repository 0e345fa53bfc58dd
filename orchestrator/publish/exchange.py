"""What is asked of a registry and what it answers, as values."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import PAST_PROXIES, RegistryError
from orchestrator.publish.untrusted import read_object, read_rows

PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Statuses after which another attempt may do better."""
_DETAIL = 300

Content = Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """A request about a repository; `target` is below it, or a whole URL that it answered.

    `content` gives the body anew for each attempt, `size_bytes` long. `sources` are other
    repositories that it reads. A `slow` one may be thought about for longer.
    """

    method: str
    repository: Repository
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Content | None = None
    size_bytes: int = 0
    sources: tuple[Repository, ...] = ()
    slow: bool = False

    @property
    def where(self) -> str:
        """Name the request without what may be secret in its address."""
        url = urljoin(f"/v2/{self.repository.name}/", self.target)
        return f"{self.method} {self.repository.host}{urlsplit(url).path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is small; the keys of `headers` are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def location(self) -> str:
        """Return the address of `Location`, made whole.

        Raises:
            RegistryError: It is none.
        """
        try:
            return urljoin(self.url, self.headers.get("location", ""))
        except ValueError as error:
            raise RegistryError(
                f"{urlsplit(self.url).netloc} names a place that is no address: {error}",
                hint="a proxy may rewrite what the registry answers; " + PAST_PROXIES,
            ) from None


def problems_of(answer: Answer) -> list[tuple[str, str]]:
    """Return codes and messages (OCI distribution specification, "Error codes")."""
    try:
        rows = read_rows(read_object(answer.body), "errors")
    except ValueError:
        return []
    return [(str(row.get("code", "")), str(row.get("message", ""))) for row in rows]


def detail_of(answer: Answer) -> str:
    """Return what the registry says of its refusal, in brackets; nothing where it says nothing."""
    said = "; ".join(f"{code} {message}".strip() for code, message in problems_of(answer))
    return f" ({said[:_DETAIL]})" if said else ""


def retry_after_s(answer: Answer) -> float | None:
    """Return the seconds of `Retry-After` (RFC 9110, 10.2.3): a number or a date."""
    given = answer.headers.get("retry-after", "")
    if re.fullmatch(r"[0-9]{1,9}", given):
        return float(given)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(given).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
