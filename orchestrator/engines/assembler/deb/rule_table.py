"""Our own word on packages whose maintainer scripts do more than debhelper generates.

Each rule was written from the scripts of Debian 12 and says what they leave behind when a
package is first installed, non-interactively, with the answers that debconf has by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.engines.assembler.deb.actions import (
    Alternative,
    Chmod,
    Copy,
    Directory,
    Omit,
    Symlink,
    TextFile,
)
from orchestrator.engines.assembler.deb.rules import Rule

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

_IMAGEMAGICK = (
    "animate",
    "compare",
    "composite",
    "conjure",
    "convert",
    "display",
    "identify",
    "import",
    "mogrify",
    "montage",
    "stream",
)
_XZ_TOOLS = ("cat", "cmp", "diff", "egrep", "fgrep", "grep", "less", "more")


def _alternatives(*choices: tuple[str, str, int, tuple[tuple[str, str], ...]]) -> Rule:
    """Return the rule of programs that stand for others: name, program, priority, followers."""
    return Rule(
        "registers its programs by common names",
        tuple(
            Alternative(
                f"/usr/bin/{name}",
                name,
                f"/usr/bin/{program}",
                priority,
                tuple((f"/usr/bin/{link}", link, f"/usr/bin/{to}") for link, to in slaves),
            )
            for name, program, priority, slaves in choices
        ),
    )


def _my_cnf(file: str, priority: int) -> Rule:
    cnf = "/etc/mysql/my.cnf"
    return Rule("registers my.cnf", (Alternative(cnf, "my.cnf", f"/etc/mysql/{file}", priority),))


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
        "bsdextrautils": Rule("takes an old alternative away"),
        "cpp": Rule("registers /lib/cpp", (Alternative("/lib/cpp", "cpp", "/usr/bin/cpp", 10),)),
        "freetds-common": Rule(
            "copies the default configuration",
            (Copy("usr/share/freetds/freetds.conf", "etc/freetds/freetds.conf"),),
        ),
        "gawk": _alternatives(("awk", "gawk", 10, (("nawk", "gawk"),))),
        "gcc": _alternatives(
            ("cc", "gcc", 20, ()), ("c89", "c89-gcc", 20, ()), ("c99", "c99-gcc", 20, ())
        ),
        "hicolor-icon-theme": _CACHES,
        "imagemagick-6.q16": _alternatives(
            *(
                (f"{program}{suffix}", f"{program}-im6.q16", 10000, ())
                for program in _IMAGEMAGICK
                for suffix in ("", "-im6")
            )
        ),
        "iputils-ping": Rule(
            "lets everyone ping: by the setuid bit, where no capability can be set",
            (Chmod("usr/bin/ping", 0o4755),),
        ),
        "iproute2": Rule("gives ip capabilities, which debconf's default declines"),
        "libasound2-dev": _UPGRADES,
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
        "libgstreamer1.0-0": Rule(
            "sets a helper's privileges", (), "the privileges of gst-ptp-helper, a clock's helper"
        ),
        "libpam0g": Rule("restarts daemons after upgrades"),
        "libpam-modules": Rule(
            "makes the file of old passwords", (TextFile("etc/security/opasswd", "", 0o600),)
        ),
        "libpython3.11-minimal": Rule("prints a comment"),
        "libsensors5": _UPGRADES,
        "libqt5core5a": Rule("removes an empty folder of old versions"),
        "libsybdb5": _UPGRADES,
        "login": Rule(
            "makes empty files",
            tuple(TextFile(path) for path in ("var/log/faillog", "etc/subuid", "etc/subgid")),
        ),
        "mariadb-common": _my_cnf("mariadb.cnf", 500),
        "mpg123": _alternatives(
            ("mpg123", "mpg123.bin", 120, ()), ("mp3-decoder", "mpg123.bin", 20, ())
        ),
        "mysql-common": _my_cnf("my.cnf.fallback", 100),
        "netbase": _NETBASE,
        "nodejs": Rule(
            "registers `js`", (Alternative("/usr/bin/js", "js", "/usr/bin/nodejs", 200),)
        ),
        "openssh-client": Rule(
            "gives ssh-agent a group of its own",
            (),
            "ssh-agent's setgid bit, which hides its memory from other programs of its user",
        ),
        "openssl": Rule("links /usr/lib/ssl where it is missing; the package ships it"),
        "perl": Rule("takes an old alternative away"),
        "poppler-data": Rule("tells ghostscript about its fonts, where that is installed"),
        "postgresql-client-15": Rule("registers manual pages, which images lack"),
        "procps": Rule("takes remains of old versions away; registers programs it ships no more"),
        "python3": Rule(
            "writes the configuration of bytecode compilation",
            (TextFile("etc/python3/debian_config", "[DEFAULT]\nbyte-compile = standard\n"),),
        ),
        "python3-distutils": _BYTECODE,
        "python3-lib2to3": _BYTECODE,
        "python3-minimal": _BYTECODE,
        "python3.11": _BYTECODE,
        "python3.11-minimal": _PYTHON_MINIMAL,
        "python3.11-venv": _BYTECODE,
        "readline-common": Rule(
            "copies the default inputrc", (Copy("usr/share/readline/inputrc", "etc/inputrc"),)
        ),
        "redis-tools": Rule(
            "makes the server's user", (), "the user redis, whom only the server needs"
        ),
        "sgml-base": Rule(
            "joins catalogues of SGML document types",
            (Directory("var/lib/sgml-base"), Directory("etc/sgml")),
            "the joined catalogue of SGML document types",
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
        "ucf": Rule(
            "makes its records",
            (TextFile("var/lib/ucf/hashfile"), TextFile("var/lib/ucf/registry")),
        ),
        "unixodbc-common": Rule("makes an empty list of drivers", (TextFile("etc/odbcinst.ini"),)),
        "unzip": Rule("tells mail programs of it, where update-mime is"),
        "util-linux": _alternatives(("pager", "more", 50, ())),
        "x11-common": Rule("asks debconf to forget its answers"),
        "xz-utils": _alternatives(
            (
                "lzma",
                "xz",
                20,
                (
                    ("unlzma", "unxz"),
                    *((f"lz{tool}", f"xz{tool}") for tool in _XZ_TOOLS),
                ),
            )
        ),
    }
)
