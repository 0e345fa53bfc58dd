"""What stands for maintainer scripts, and which shipped files mean more than themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.engines.assembler.deb.actions import Action


@dataclass(frozen=True, slots=True)
class Rule:
    """What stands for a package's scripts: why, and what they leave behind.

    `left_out` says what an image does without, because only running the package's own
    programs could make it.
    """

    why: str
    actions: tuple[Action, ...] = ()
    left_out: str = ""


KEPT_CONTENTS: tuple[str, ...] = (
    "etc/ld.so.conf",
    "etc/ld.so.conf.d/*.conf",
    "usr/local/share/ca-certificates/*.crt",
    "usr/share/base-passwd/*.master",
    "usr/share/ca-certificates/*.crt",
    "usr/share/debianutils/shells",
    "usr/share/debianutils/shells.d/*",
)
"""Texts that the finaliser reads, kept in a segment's notes; `*` matches slashes too."""

CANNOT_DO: Mapping[str, str] = MappingProxyType(
    {
        "usr/share/glib-2.0/schemas/*.xml": "its settings schemas must be compiled by"
        " glib-compile-schemas, or programs that read them stop",
    }
)
"""Files whose effect needs a program of the image to be run when they are installed."""
