"""What the maintainer scripts of an image's packages would have left, made by ourselves.

A pure function of what the segments' makers noted: nothing is run, nothing is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from orchestrator.engines.assembler.deb.accounts import Accounts, read_accounts
from orchestrator.engines.assembler.deb.actions import (
    Action,
    Alternative,
    Copy,
    Directory,
    Symlink,
    TextFile,
    action_from_json,
)
from orchestrator.engines.assembler.deb.certificates import certificate_entries
from orchestrator.engines.assembler.deb.libraries import library_entries
from orchestrator.engines.assembler.deb.paths import canonical
from orchestrator.model import Platform
from orchestrator.oci.segment import SegmentInfo
from orchestrator.oci.tar import Entry, EntryKind

Made = dict[str, tuple[Entry, bytes]]

_ALIASES = {"bin": "usr/bin", "lib": "usr/lib", "sbin": "usr/sbin"}
_LIB64 = "linux/amd64"
_SHELLS = "usr/share/debianutils/shells"


def finaliser_entries(
    inherited: Sequence[SegmentInfo],
    own: Sequence[SegmentInfo],
    platform: Platform,
    *,
    user: str = "",
    inherited_users: Sequence[str] = (),
) -> list[tuple[Entry, bytes]]:
    """Return the entries of an image's last layer of its own, sorted by path.

    `inherited` are the segments of its ancestors, oldest first, and `own` its own; `user` is
    its recipe's `config.user`, `inherited_users` those of the ancestors. An entry that the
    nearest ancestor's finaliser wrote already, byte for byte, is not written again.

    Raises:
        AssemblyError: The user is no valid name or number.
    """
    before = final_state(inherited, platform, inherited_users) if inherited else {}
    after = final_state([*inherited, *own], platform, [*inherited_users, user])
    return [made for path, made in sorted(after.items()) if before.get(path) != made]


def final_state(
    chain: Sequence[SegmentInfo], platform: Platform, users: Iterable[str] = ()
) -> Made:
    """Return all that finalisers leave in an image of these segments, by path.

    What a package ships is never replaced.

    Raises:
        AssemblyError: A user is no valid name or number.
    """
    shipped = {entry.path for info in chain for entry in info.entries if entry.kind != "directory"}
    contents = {
        path: text for info in chain for path, text in info.notes.get("contents", {}).items()
    }
    actions = [action_from_json(facts) for info in chain for facts in info.notes.get("actions", ())]
    made: Made = {}

    def make(entry: Entry, data: bytes = b"") -> None:
        if entry.path not in shipped:
            made[entry.path] = (entry, data)

    if any(info.notes.get("deb", {}).get("name") == "base-files" for info in chain):
        _make_aliases(make, platform)
    for action in actions:
        _carry_out(make, action, contents)
    _make_alternatives(make, actions, shipped)
    _make_accounts(make, read_accounts(chain, users))
    _make_shells(make, contents)
    for entry, data in certificate_entries(contents):
        make(entry, data)
    links = {path: entry.link for path, (entry, _) in made.items() if entry.link}
    for entry, data in library_entries(chain, links, contents, platform):
        make(entry, data)
    return made


_Make = Callable[..., None]


def _make_aliases(make: _Make, platform: Platform) -> None:
    aliases = dict(_ALIASES)
    if platform.key == _LIB64:
        aliases["lib64"] = "usr/lib64"
    for path, target in aliases.items():
        make(_link(path, target))


def _carry_out(make: _Make, action: Action, contents: Mapping[str, str]) -> None:
    match action:
        case Directory(path, mode, uid, gid):
            make(Entry(path, EntryKind.DIRECTORY, mode, uid=uid, gid=gid))
        case Symlink(path, target):
            make(_link(path, target))
        case TextFile(path, text, mode, uid, gid):
            data = text.encode()
            make(Entry(path, EntryKind.FILE, mode, len(data), uid=uid, gid=gid), data)
        case Copy(source, path) if source in contents:
            _make_text(make, path, contents[source])


def _make_alternatives(make: _Make, actions: Iterable[Action], shipped: set[str]) -> None:
    """Make the links of each alternative's best choice: the highest priority, then the first."""
    best: dict[str, Alternative] = {}
    for action in actions:
        if isinstance(action, Alternative) and canonical(action.path.lstrip("/")) in shipped:
            other = best.get(action.name)
            if other is None or other.priority < action.priority:
                best[action.name] = action
    for action in best.values():
        for link, name, path in ((action.link, action.name, action.path), *action.slaves):
            if canonical(path.lstrip("/")) in shipped:
                make(_link(f"etc/alternatives/{name}", path))
                make(_link(canonical(link.lstrip("/")), f"/etc/alternatives/{name}"))


def _make_accounts(make: _Make, accounts: Accounts) -> None:
    if accounts.passwd and accounts.find("root"):
        _make_text(make, "etc/passwd", "".join(f"{line}\n" for line in accounts.passwd))
        _make_text(make, "etc/group", "".join(f"{line}\n" for line in accounts.group))
    for user in accounts.made:
        home = user.home.lstrip("/")
        make(Entry(home, EntryKind.DIRECTORY, 0o755, uid=user.uid, gid=user.gid))


def _make_shells(make: _Make, contents: Mapping[str, str]) -> None:
    if _SHELLS not in contents:
        return
    lines = dict.fromkeys(contents[_SHELLS].splitlines())
    listed = [line for line in lines if line.startswith("/")]
    for path in sorted(contents):
        if path.startswith(f"{_SHELLS}.d/"):
            listed += contents[path].split()
    for shell in listed:
        lines.setdefault(shell)
        lines.setdefault("/" + canonical(shell.lstrip("/")))
    _make_text(make, "etc/shells", "".join(f"{line}\n" for line in lines))


def _make_text(make: _Make, path: str, text: str) -> None:
    data = text.encode()
    make(Entry(path, size_bytes=len(data)), data)


def _link(path: str, target: str) -> Entry:
    return Entry(path, EntryKind.SYMLINK, 0o777, link=target)
