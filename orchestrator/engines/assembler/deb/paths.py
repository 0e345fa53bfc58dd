"""Where a package's files lie in an image: in a merged /usr, without documentation."""

from __future__ import annotations

import posixpath
import re

from orchestrator.oci.tar import Entry

ALIASES = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")

_LEFT_OUT = re.compile(r"usr/share/(doc|groff|info|linda|lintian|locale|man)(/.*)?")
_KEPT_ANYWAY = re.compile(r"usr/share/(doc/[^/]+/copyright|locale/locale\.alias)")
_DOC_FOLDER = re.compile(r"usr/share/doc/[^/]+")


def canonical(path: str) -> str:
    """Return the path in a merged /usr: what lies in `bin` lies in `usr/bin`."""
    return f"usr/{path}" if path.partition("/")[0] in ALIASES else path


def is_left_out(path: str, *, is_symlink: bool = False) -> bool:
    """Tell whether a path is documentation that images go without.

    Symbolic links between folders of documentation stay, as copyright files lie behind them.
    """
    if not _LEFT_OUT.fullmatch(path) or _KEPT_ANYWAY.fullmatch(path):
        return False
    return not (is_symlink and _DOC_FOLDER.fullmatch(path))


def leads_to_itself(path: str, entry: Entry) -> bool:
    """Tell whether merging /usr made a link between the two places of one file."""
    target = posixpath.join("/", posixpath.dirname(entry.path), entry.link)
    return canonical(posixpath.normpath(target).lstrip("/")) == path
