"""Packages that are depended on for maintainer scripts alone, which images never run."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SCRIPT_ONLY: Mapping[str, str] = MappingProxyType(
    {
        "adduser": "creates users in postinst; images get their passwd and group written",
        "cdebconf": "asks questions in config scripts; nobody is there to answer",
        "debconf": "asks questions in config scripts; nobody is there to answer",
        "debconf-2.0": "the interface of debconf and cdebconf",
        "dpkg": "runs maintainer scripts, and gives them update-alternatives and dpkg-divert",
        "init-system-helpers": "enables services in postinst; images start one process",
        "install-info": "indexes info pages in a trigger; images leave these out",
        "lsb-base": "functions for init scripts; images start one process",
        "ucf": "merges configuration files in postinst; an image's are always fresh",
        "usr-is-merged": "asserts a merged /usr, which the layout of every image has",
        "usrmerge": "merges /usr on an old system; the layout of every image is merged",
    }
)
"""Package name to reason; such a package is pulled in only when it is asked for by name."""
