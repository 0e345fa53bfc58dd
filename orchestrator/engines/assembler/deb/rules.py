"""Our own word on packages whose maintainer scripts do more than debhelper generates.

Each rule was written from the scripts of Debian 12 and says what they leave behind when a
package is first installed, non-interactively, with the answers that debconf has by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.engines.assembler.deb.actions import (
    Action,
    Alternative,
    Copy,
    Directory,
    Omit,
    Symlink,
    TextFile,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What stands for a package's scripts: why, and what they leave behind.

    `left_out` says what an image does without, because only running the package's own
    programs could make it.
    """

    why: str
    actions: tuple[Action, ...] = ()
    left_out: str = ""


_MAIL, _UTMP = 8, 43

_BASE_FILES = Rule(
    "makes the standard directories and copies the default dot files",
    (
        Symlink("etc/dpkg/origins/default", "debian"),
        Copy("usr/share/base-files/dot.profile", "root/.profile"),
        Copy("usr/share/base-files/dot.bashrc", "root/.bashrc"),
        Copy("usr/share/base-files/profile", "etc/profile"),
        Copy("usr/share/base-files/motd", "etc/motd"),
        *(Directory(path) for path in ("mnt", "srv", "opt", "etc/opt", "var/opt", "media")),
        Directory("var/mail", 0o2775, 0, _MAIL),
        Symlink("var/spool/mail", "../mail"),
        Directory("run/lock", 0o1777),
        Omit("var/run"),
        Symlink("var/run", "/run"),
        Omit("var/lock"),
        Symlink("var/lock", "/run/lock"),
        *(
            Directory(f"usr/local{below}")
            for below in (
                "",
                "/bin",
                "/etc",
                "/games",
                "/include",
                "/lib",
                "/sbin",
                "/share",
                "/share/man",
                "/src",
            )
        ),
        Symlink("usr/local/man", "share/man"),
        TextFile("var/log/wtmp", "", 0o664, 0, _UTMP),
        TextFile("var/log/btmp", "", 0o660, 0, _UTMP),
        TextFile("var/log/lastlog", "", 0o664, 0, _UTMP),
    ),
)

_NETBASE = Rule(
    "writes /etc/networks; /etc/hosts is the container runtime's",
    (
        TextFile(
            "etc/networks",
            "default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n",
        ),
    ),
)

_FONTCONFIG_CONFIG = Rule(
    "links the snippets that debconf's default answers choose",
    (
        Symlink(
            "etc/fonts/conf.d/10-hinting-slight.conf",
            "/usr/share/fontconfig/conf.avail/10-hinting-slight.conf",
        ),
        Symlink(
            "etc/fonts/conf.d/70-no-bitmaps.conf",
            "/usr/share/fontconfig/conf.avail/70-no-bitmaps.conf",
        ),
        Directory("usr/local/share/fonts"),
    ),
)

_PYTHON_MINIMAL = Rule(
    "makes the folders of local packages; bytecode is only a cache",
    (
        Directory("usr/local/lib/python3.11"),
        Directory("usr/local/lib/python3.11/dist-packages"),
    ),
)

_UPGRADES = Rule("acts only when an older version is upgraded")
_BYTECODE = Rule("compiles bytecode, which is only a cache")
_CACHES = Rule("fills caches, which their programs do without")

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "base-files": _BASE_FILES,
        "base-passwd": Rule("writes /etc/passwd and /etc/group, which are written for the image"),
        "bash": Rule("registers the manual page `builtins`, which images lack"),
        "ca-certificates": Rule(
            "joins the certificates into a bundle, which is written for the image",
            (Directory("usr/local/share/ca-certificates"),),
        ),
        "coreutils": Rule("links /usr/bin/touch, which merged /usr has already"),
        "dash": Rule("diverts /bin/sh, which the package ships as a link to dash"),
        "debianutils": Rule(
            "registers `which`; /etc/shells is written for the image",
            (Alternative("/usr/bin/which", "which", "/usr/bin/which.debianutils", 0),),
        ),
        "fontconfig": Rule(
            "makes the font cache",
            (Directory("var/cache/fontconfig"),),
            "the font cache: it holds times of the file system; programs scan fonts at start",
        ),
        "fontconfig-config": _FONTCONFIG_CONFIG,
        "git": _UPGRADES,
        "libc-bin": Rule(
            "copies the default nsswitch.conf; ld.so.cache is written for the image",
            (Copy("usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf"),),
        ),
        "libc6": Rule("guards upgrades and restarts daemons; lib64 is linked for the image"),
        "libgcrypt20": _UPGRADES,
        "libgdk-pixbuf-2.0-0": Rule(
            "lists loadable image formats",
            (),
            "loaders.cache: PNG and JPEG are built in, other formats of pixbufs are not found",
        ),
        "libglib2.0-0": Rule(
            "compiles settings schemas and lists I/O modules, of which this package has none",
            (Directory("usr/lib/{multiarch}/gio/modules"),),
        ),
        "libgssapi-krb5-2": _UPGRADES,
        "libpython3.11-minimal": Rule("prints a comment"),
        "libsensors5": _UPGRADES,
        "netbase": _NETBASE,
        "nodejs": Rule(
            "registers `js`", (Alternative("/usr/bin/js", "js", "/usr/bin/nodejs", 200),)
        ),
        "openssl": Rule("links /usr/lib/ssl where it is missing; the package ships it"),
        "perl": Rule("takes an old alternative away"),
        "procps": Rule("takes remains of old versions away; registers programs it ships no more"),
        "python3-minimal": _BYTECODE,
        "python3.11": _BYTECODE,
        "python3.11-minimal": _PYTHON_MINIMAL,
        "readline-common": Rule(
            "copies the default inputrc", (Copy("usr/share/readline/inputrc", "etc/inputrc"),)
        ),
        "shared-mime-info": Rule(
            "compiles the desktop's table of file types",
            (),
            "the compiled table of file types: desktop programs guess types by name alone",
        ),
        "tzdata": Rule(
            "sets the time zone to UTC",
            (
                Symlink("etc/localtime", "/usr/share/zoneinfo/Etc/UTC"),
                TextFile("etc/timezone", "Etc/UTC\n"),
            ),
        ),
        "x11-common": Rule("asks debconf to forget its answers"),
    }
)

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
