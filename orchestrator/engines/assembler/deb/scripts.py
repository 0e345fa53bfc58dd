"""Reads maintainer scripts, which are never run: what would they do at first installation?

Only what is understood passes. A statement that is not is an error, so that no image silently
lacks what a script would have made.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from orchestrator.engines.assembler.deb.actions import Action, Alternative, Copy
from orchestrator.engines.assembler.deb.rule_table import RULES
from orchestrator.errors import AssemblyError

SCRIPTS = ("preinst", "postinst")

_GENERATED = re.compile(
    r"^[ \t]*# Automatically added by (dh_\w+)(?:/\S*)?\n(.*?)"
    r"^[ \t]*# End automatically added section$",
    re.MULTILINE | re.DOTALL,
)

_WITHOUT_EFFECT = {
    "dh_apparmor": "loads a profile into the running kernel",
    "dh_bugfiles": "nothing at installation",
    "dh_icons": "caches desktop icons",
    "dh_installcatalogs": "registers SGML catalogues",
    "dh_installdebconf": "asks questions",
    "dh_installemacsen": "compiles for an editor",
    "dh_installinfo": "indexes info pages, which images lack",
    "dh_installinit": "registers and starts daemons; an image starts one command",
    "dh_installmenu": "registers desktop menus",
    "dh_installmodules": "indexes kernel modules",
    "dh_installsystemd": "enables and starts units; an image starts one command",
    "dh_installsystemduser": "enables units; an image starts one command",
    "dh_installtmpfiles": "runs systemd-tmpfiles, where systemd is",
    "dh_installudev": "reloads device rules",
    "dh_installxmlcatalogs": "registers XML catalogues",
    "dh_makeshlibs": "runs ldconfig, whose cache is written for the whole image",
    "dh_menu": "registers desktop menus",
    "dh_pypy3": "compiles bytecode, which is only a cache",
    "dh_python2": "compiles bytecode, which is only a cache",
    "dh_python3": "compiles bytecode, which is only a cache",
    "dh_usrlocal": "makes empty folders for what is installed by hand",
    "dh_systemd_enable": "enables units; an image starts one command",
    "dh_systemd_start": "starts units; an image starts one command",
}

_HARMLESS = re.compile(
    r"""
    set\ [-+][eux]+ | case\ "?\$\{?1\}?"?\ in | : | true | fi | esac | ;; | \#DEBHELPER\#
    | exit\ \d | exit | shift | umask\ \d+
    | (export\ )?(LC_ALL|LANG|DEBIAN_FRONTEND)=\w+
    | echo\ ("([^"`$\\]|\\`|\$\d)*"|'[^']*')(\ 1?>&2)?
    | if\ which\ \S+\ >/dev/null\ 2>&1;\ then\ ldconfig;\ fi | ldconfig
    """,
    re.VERBOSE,
)
_UPGRADE_ONLY = re.compile(
    r"""\[\ "?\$\{?1\}?"?\ ==?\ "?upgrade"?\ \]
    | test\ "?\$1"?\ ==?\ "?upgrade"?
    | \[\ -n\ "\$\{?2\}?"\ \] | test\ -n\ "\$\{?2\}?"
    | dpkg\ --compare-versions\ (--\ )?"?\$\{?2\}?"?\ (lt|le)-nl\ \S+""",
    re.VERBOSE,
)
_FIRST_INSTALL = re.compile(
    r"""\[\ "?\$\{?1\}?"?\ ==?\ "?(configure|install)"?\ \]
    | test\ "?\$1"?\ ==?\ "?(configure|install)"? | \[\ -z\ "\$\{?2\}?"\ \]""",
    re.VERBOSE,
)
_ONE_OF_CALLS = re.compile(r"""(\[ "?\$\{?1\}?"? ==? "?[\w-]+"? \](?: \|\| (?=\[)|$))+""")
_INSTALLS_ALTERNATIVE = re.compile(r"update-alternatives( --quiet| --force)* --install ")
_ARM = re.compile(r"\(?\s*([\w*-]+(?:\s*\|\s*[\w*-]+)*)\s*\)\s*(.*)")
_EFFECTIVE_ARMS = {"configure", "install", "*"}
_MAINTSCRIPT_HELPER = re.compile(
    r"dpkg-maintscript-helper (rm_conffile|mv_conffile|symlink_to_dir|dir_to_symlink) "
)


def plan_actions(package: str, control: Mapping[str, str]) -> list[Action]:
    """Say what a package's preinst and postinst would do when it is first installed.

    `control` holds the package's control files by name. A rule of ours, where there is one,
    stands for all that its scripts do beyond debhelper's generated sections.

    Raises:
        AssemblyError: A script has a statement that is not understood, and no rule covers it.
    """
    rule = RULES.get(package)
    actions: list[Action] = list(rule.actions) if rule else []
    for script in SCRIPTS:
        text = control.get(script, "")
        for kind, body in _GENERATED.findall(text):
            actions += _generated(package, script, kind, body)
        if rule is None:
            actions += _written(package, script, _GENERATED.sub("", text))
    return actions


def _generated(package: str, script: str, kind: str, body: str) -> Iterator[Action]:
    if kind in _WITHOUT_EFFECT:
        return
    if kind not in {"dh_installalternatives", "dh_installdeb", "dh_ucf"}:
        raise _not_understood(package, script, f"{kind}: {_first_statement(body)}")
    for statement in _statements(body):
        if _INSTALLS_ALTERNATIVE.match(statement):
            yield _alternative(package, script, statement)
        elif statement.startswith("ucf "):
            source, target = shlex.split(statement)[-2:]
            yield Copy(source.lstrip("/"), target.lstrip("/"))
        elif kind == "dh_installdeb" and not _MAINTSCRIPT_HELPER.match(statement):
            raise _not_understood(package, script, statement)


def _written(package: str, script: str, text: str) -> Iterator[Action]:
    """Yield the actions of a script's hand-written part."""
    if text.startswith("#!") and not re.match(r"#!\s*/bin/(ba|da)?sh\b", text):
        raise _not_understood(package, script, text.splitlines()[0])
    statements = list(_statements(text))
    position = 0
    while position < len(statements):
        statement = statements[position]
        position += 1
        if statement.startswith("if "):
            position = _after_condition(package, script, statements, position - 1)
        elif (arm := _arm(statements, position - 1)) is not None:
            if arm.group(2):
                statements.insert(position, arm.group(2))
            if not {label.strip() for label in arm.group(1).split("|")} & _EFFECTIVE_ARMS:
                position = _after_arm(statements, position)
        elif _INSTALLS_ALTERNATIVE.match(statement):
            yield _alternative(package, script, statement)
        elif not _HARMLESS.fullmatch(statement.removesuffix(";;").strip() or ":"):
            raise _not_understood(package, script, statement)


def _after_condition(package: str, script: str, statements: list[str], at: int) -> int:
    """Return where to go on after an `if`: in its body, or behind it where it is never true."""
    condition = re.sub(r"^if\s+|;?\s*then$", "", statements[at])
    parts = [part.strip() for part in condition.split("&&")]
    plain = not re.search(r"\|\||[`;]|\$\(| -o ", condition)
    if plain and all(_FIRST_INSTALL.fullmatch(part) for part in parts):
        return at + 1
    if _ONE_OF_CALLS.fullmatch(condition) and re.search(r"\b(configure|install)\b", condition):
        return at + 1
    end = _end_of_if(statements, at)
    body = statements[at + 1 : end]
    never = plain and any(_UPGRADE_ONLY.fullmatch(part) for part in parts)
    if not never or end == len(statements) or any(re.match(r"else|elif", line) for line in body):
        raise _not_understood(package, script, statements[at])
    return end + 1


def _end_of_if(statements: list[str], at: int) -> int:
    depth = 0
    for position in range(at, len(statements)):
        words = statements[position]
        depth += words.startswith("if ")
        depth -= bool(re.search(r"(^|;\s*)fi\b", words))
        if depth == 0:
            return position
    return len(statements)


def _arm(statements: list[str], at: int) -> re.Match[str] | None:
    """Return the match of a statement that begins an arm of a `case`."""
    before = statements[at - 1] if at else ""
    opens = before.startswith("case ") or before.endswith(";;")
    return _ARM.fullmatch(statements[at]) if opens else None


def _after_arm(statements: list[str], position: int) -> int:
    while position < len(statements) and not statements[position].endswith((";;", "esac")):
        position += 1
    ended_by_esac = position < len(statements) and statements[position] == "esac"
    return position if ended_by_esac else position + 1


def _alternative(package: str, script: str, statement: str) -> Alternative:
    literal = not re.search(r"[$`<>|;&*]", statement)
    try:
        words = shlex.split(statement, comments=True)
        words = [word for word in words if word not in {"--quiet", "--force"}]
        _, _, link, name, path, priority, *rest = words
        slaves = list(zip(rest[1::4], rest[2::4], rest[3::4], strict=True))
        if not literal or len(rest) % 4 or set(rest[::4]) - {"--slave"}:
            raise _not_understood(package, script, statement)
        return Alternative(link, name, path, int(priority), tuple(slaves))
    except ValueError as error:
        raise _not_understood(package, script, statement) from error


def _statements(text: str) -> Iterator[str]:
    """Yield a script's statements, a line each: continuations joined, comments dropped.

    A comment ends with its line, whether or not a backslash stands there.
    """
    pending = ""
    for line in re.sub(r"[ \t]*\n[ \t]*then\b", "; then", text).splitlines():
        words = re.sub(r"\s+", " ", line).strip()
        is_comment = words.startswith("#") and words != "#DEBHELPER#"
        if not is_comment:
            pending += words
        if pending.endswith("\\") and not is_comment and " #" not in words:
            pending = pending.removesuffix("\\")
            continue
        if pending.strip():
            yield pending.strip()
        pending = ""
    if pending.strip():
        yield pending.strip()


def _first_statement(body: str) -> str:
    return next(_statements(body), "")


def _not_understood(package: str, script: str, statement: str) -> AssemblyError:
    return AssemblyError(
        f"Debian package {package}: its {script} does what is not known here: {statement}",
        hint="maintainer scripts are never run; pick another package, take the program from a"
        " wheel or a [[fetch]] file, define this image by a Dockerfile, or add a rule for"
        f" {package} that says what the script leaves behind",
    )
