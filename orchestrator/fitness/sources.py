"""Checks of where packages come from, and of the clock, which certificates and tokens go by."""

from __future__ import annotations

import email.utils
import shutil
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from orchestrator.errors import OrchError
from orchestrator.fitness.finding import Finding, fail, ok, warn
from orchestrator.model import DebianSettings
from orchestrator.resolve.debian.sources import read_sources
from orchestrator.resolve.python.indexes import Indexes
from orchestrator.transfer import reach

_SEE_PIP = "see pip config list, and the settings' [python]"
_SEE_APT = "see apt's sources, and the settings' [debian]"
_WARN_S, _FAIL_S = 30, 300


def check_indexes(indexes: Indexes) -> tuple[list[Finding], str]:
    """Check that package indexes answer; return what was found, and what time it is there."""
    urls = [] if indexes.no_index else [indexes.index_url, *indexes.extra_index_urls]
    found, date = [], ""
    for url in filter(None, urls):
        finding, told = _check_url("python-index", f"{url.rstrip('/')}/pip/", _SEE_PIP)
        found.append(finding)
        date = date or told
    for place in indexes.find_links:
        if "://" in place:
            found.append(_check_url("python-index", place, _SEE_PIP)[0])
        elif not Path(place).is_dir():
            found.append(fail("python-index", f"find-links: there is no folder {place}", _SEE_PIP))
    if not found:
        found.append(ok("python-index", "none is configured: the resolver's own default is asked"))
    return found, date


def check_debian(settings: DebianSettings) -> tuple[list[Finding], str]:
    """Check that archives answer, and that what verifies them is there; return the time, too."""
    try:
        sources = read_sources(settings)
    except OrchError as error:
        return [fail("debian", error.message, error.hint)], ""
    told = [
        _check_url("debian", f"{source.uri}/dists/{suite}/InRelease", _SEE_APT)
        for source in sources
        if not source.optional
        for suite in source.suites
    ]
    found = list(dict.fromkeys(finding for finding, _ in told))
    if shutil.which("gpgv") is None:
        found.append(fail("debian", "there is no gpgv", "apt-get install gpgv; orch lock needs it"))
    rings = {source.signed_by for source in sources if source.signed_by.startswith("/")}
    found += [
        fail("debian", f"there is no keyring {ring}", "apt-get install debian-archive-keyring")
        for ring in sorted(rings)
        if not Path(ring).is_file()
    ]
    return found, next((date for _, date in told if date), "")


def _check_url(check: str, url: str, hint: str) -> tuple[Finding, str]:
    """Ask for a page; the address is shown without what may be secret in it."""
    parts = urlsplit(url)
    where = f"{parts.hostname or ''}{parts.path}"
    if parts.scheme == "file":
        is_there = Path(unquote(parts.path)).parent.exists()
        shown = ok(check, f"{where} is there") if is_there else fail(check, f"no {where}", hint)
        return shown, ""
    try:
        reached = reach(url)
    except OrchError as error:
        return fail(check, error.message, hint), ""
    if reached.status in {200, 404}:  # an index need not have what is asked for
        return ok(check, f"{parts.hostname} answers"), reached.date
    return fail(check, f"{where} answers {reached.status}", hint), reached.date


def check_clock(told: str, now: datetime) -> Finding:
    """Compare this machine's clock with the time that a server told (RFC 9110, 6.6.1)."""
    try:
        there = email.utils.parsedate_to_datetime(told)
    except (TypeError, ValueError):
        return ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC; no server told the time to compare it")
    if there.tzinfo is None:
        there = there.replace(tzinfo=UTC)
    off_s = round((now - there).total_seconds())
    if abs(off_s) < _WARN_S:
        return ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC, as servers have it")
    message = f"the clock is {abs(off_s)} s {'ahead' if off_s > 0 else 'behind'}"
    hint = "set it, for example with chrony: tokens and signatures hold for minutes"
    return (fail if abs(off_s) >= _FAIL_S else warn)("clock", message, hint)
