"""Users and groups of an image: base-passwd's, and those that recipes ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orchestrator.errors import AssemblyError
from orchestrator.oci.segment import SegmentInfo

_PASSWD = "usr/share/base-passwd/passwd.master"  # noqa: S105  # a path
_GROUP = "usr/share/base-passwd/group.master"
_FIRST_UID = 1000


@dataclass(frozen=True, slots=True)
class User:
    """Who an image's command runs as."""

    uid: int
    gid: int
    name: str
    home: str


@dataclass(slots=True)
class Accounts:
    """`/etc/passwd` and `/etc/group` in lines; `made` holds the users that recipes asked for."""

    passwd: list[str] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    made: list[User] = field(default_factory=list)
    last: User = User(0, 0, "root", "/root")

    @property
    def is_ours(self) -> bool:
        """Tell whether the image's `/etc/passwd` is made by us, from base-passwd's."""
        return bool(self.passwd)

    def find(self, user: str) -> User | None:
        """Return the user of that name or number."""
        for line in self.passwd:
            name, _, uid, gid, _, home, *_ = line.split(":")
            if user in {name, uid}:
                return User(int(uid), int(gid), name, home)
        return None

    def find_group(self, group: str) -> int | None:
        """Return the number of the group of that name or number."""
        for line in self.group:
            name, _, gid, *_ = line.split(":")
            if group in {name, gid}:
                return int(gid)
        return None


def resolve_user(
    user: str, chain: Iterable[SegmentInfo], inherited_users: Sequence[str] = ()
) -> User:
    """Say who a recipe's `config.user` is: `""`, a name or a number, and perhaps `:group`.

    An empty user is the last of those that the image's ancestors name, or root. A number that
    nobody has becomes the user `app`; a name that nobody has gets the number 1000, or the next
    free one. `chain` are the segments of the image and its ancestors, `inherited_users` the
    ancestors' `config.user`, oldest first. Of an image without base-passwd, one that stands on
    an image not assembled here, only numbers are taken.

    Raises:
        AssemblyError: The user is no valid name or number, or a name that cannot be looked up.
    """
    return read_accounts(chain, [*inherited_users, user]).last


def read_accounts(chain: Iterable[SegmentInfo], users: Iterable[str]) -> Accounts:
    """Return the accounts of an image whose ancestors, and itself, name these users in turn.

    Raises:
        AssemblyError: A user is no valid name or number.
    """
    accounts = Accounts()
    for info in chain:
        contents = info.notes.get("contents", {})
        accounts.passwd += contents.get(_PASSWD, "").splitlines()
        accounts.group += contents.get(_GROUP, "").splitlines()
    for user in users:
        if user:
            accounts.last = _take(accounts, user)
    return accounts


def _take(accounts: Accounts, text: str) -> User:
    user, _, group = text.partition(":")
    if not _is_valid(user) or (group and not _is_valid(group)):
        raise AssemblyError(
            f"config.user {text!r} is neither a name nor a number",
            hint='write a name ("app"), a number ("1000") or either with a group ("app:app")',
        )
    found = accounts.find(user) or _new(accounts, user)
    if not group:
        return found
    gid = accounts.find_group(group)
    if gid is None:
        if not accounts.is_ours and not group.isdigit():
            raise _unknown(group)
        gid = int(group) if group.isdigit() else found.uid
        accounts.group.append(f"{_free_group_name(accounts, group, gid)}:x:{gid}:")
    return User(found.uid, gid, found.name, found.home)


def _is_valid(name: str) -> bool:
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return plain.isascii() and plain.isalnum() and not name.startswith("-")


def _free_group_name(accounts: Accounts, group: str, gid: int) -> str:
    if not group.isdigit():
        return group
    return "app" if accounts.find_group("app") is None else f"app{gid}"


def _new(accounts: Accounts, user: str) -> User:
    """Return a user that no known passwd names; made, where the image's passwd is ours."""
    if user in {"0", "root"}:
        return User(0, 0, "root", "/root")
    if accounts.is_ours:
        return _make(accounts, user)
    if user.isdigit():
        return User(int(user), int(user), "", "/")
    raise _unknown(user)


def _unknown(name: str) -> AssemblyError:
    return AssemblyError(
        f"config.user names {name!r} in an image whose users are not known here",
        hint='write numbers: "1000:1000"',
    )


def _make(accounts: Accounts, user: str) -> User:
    if user.isdigit():
        uid = int(user)
        name = "app" if accounts.find("app") is None else f"app{uid}"
    else:
        uid, name = _FIRST_UID, user
        while accounts.find(str(uid)) is not None:
            uid += 1
    made = User(uid, uid, name, f"/home/{name}")
    accounts.passwd.append(f"{name}:x:{uid}:{uid}::{made.home}:/usr/sbin/nologin")
    if accounts.find_group(str(uid)) is None:
        accounts.group.append(f"{name}:x:{uid}:")
    accounts.made.append(made)
    return made
