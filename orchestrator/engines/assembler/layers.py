"""The layers of an image that are made of entries: system files, the venv, files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.engines.assembler.contents import Contents, infos
from orchestrator.engines.assembler.deb.accounts import User, resolve_user
from orchestrator.engines.assembler.deb.finalise import finaliser_entries
from orchestrator.engines.assembler.segments import Joined, new_layer
from orchestrator.engines.assembler.store import Data, FileData, Store, key_of
from orchestrator.engines.assembler.venv import HOME, venv_entries
from orchestrator.errors import AssemblyError
from orchestrator.fetch import Downloads
from orchestrator.files import SourceFile
from orchestrator.model import FileFetch
from orchestrator.oci.tar import Entry, EntryKind
from orchestrator.supply import Artifact


def system_layer(contents: Contents, store: Store) -> list[Joined]:
    """Make what maintainer scripts would have left; nothing where nothing differs."""
    own, users = contents.own, [part.user for part in contents.inherited]
    if not own.debs and own.user in {"", *users[-1:]}:
        return []
    key = key_of(
        "system",
        contents.platform.key,
        [key for part in contents.inherited for _, key in part.debs],
        [key for _, key in own.debs],
        own.user,
        users,
    )
    if found := store.find_layers(key):
        return [Joined(found[0], is_new=False)]
    entries = finaliser_entries(
        infos(store, contents.inherited),
        infos(store, [own]),
        contents.platform,
        user=own.user,
        inherited_users=users,
    )
    return [_made(store, key, entries, "system files")] if entries else []


def venv_layer(contents: Contents, store: Store, home: str = HOME) -> list[Joined]:
    """Make the virtual environment, in the first image of a chain that has Python packages.

    `home` is the folder of the interpreter.
    """
    if not contents.begins_venv:
        return []
    elsewhere = () if home == HOME else (home,)
    key = key_of("venv", contents.venv.path, contents.venv.python, *elsewhere)
    return [_made(store, key, venv_entries(contents.venv, home), "virtual environment")]


def fetched_layers(contents: Contents, store: Store, downloads: Downloads) -> list[Joined]:
    """Make a layer of each `[[fetch]]`."""
    return [_fetched(fetch, store, downloads) for fetch in contents.own.image.recipe.fetches]


def _fetched(fetch: FileFetch, store: Store, downloads: Downloads) -> Joined:
    key = _fetch_key(fetch)
    if found := store.find_layers(key):
        return Joined(found[0], is_new=False)
    file = downloads.start(_fetch_artifact(fetch)).result()
    entry = Entry(fetch.target.strip("/"), size_bytes=file.stat().st_size)
    return _made(store, key, [(entry, FileData(file, fetch.sha256))], fetch.target)


def missing_fetches(contents: Contents, store: Store) -> list[Artifact]:
    """Return the files of an image's `[[fetch]]` that are no layers yet."""
    fetches = contents.own.image.recipe.fetches
    return [_fetch_artifact(fetch) for fetch in fetches if not store.find_layers(_fetch_key(fetch))]


def _fetch_key(fetch: FileFetch) -> str:
    return key_of("fetch", fetch.target, fetch.sha256)


def _fetch_artifact(fetch: FileFetch) -> Artifact:
    return Artifact(
        fetch.url,
        fetch.sha256,
        0,
        lambda: (fetch.url,),
        gone_hint="change url and sha256 under [[fetch]]",
    )


def files_layer(store: Store, files: Sequence[SourceFile], user: User) -> list[Joined]:
    """Make the layer of an image's `[[files]]`; `user` is who it runs as."""
    if not files:
        return []
    entries = [(_entry_of(file, user), _data_of(file)) for file in files]
    return [_made(store, files_key(files, user), entries, "files")]


def files_key(files: Sequence[SourceFile], user: User) -> str:
    """Return the key of the layer of an image's `[[files]]`."""
    rows = [
        (entry.path, entry.mode, entry.uid, entry.gid, file.sha256, file.link)
        for file, entry in ((file, _entry_of(file, user)) for file in files)
    ]
    return key_of("files", rows)


def user_of(contents: Contents, store: Store) -> User:
    """Return who an image runs as."""
    users = [part.user for part in contents.chain]
    accounts = [
        store.read_info(key)
        for part in contents.chain
        for deb, key in part.debs
        if deb.name == "base-passwd"
    ]
    return resolve_user(users[-1], accounts, users[:-1])


def _made(store: Store, key: str, entries: Sequence[tuple[Entry, Data]], what: str) -> Joined:
    if found := store.find_layers(key):
        return Joined(found[0], is_new=False)
    return new_layer(store.write_entries(key, entries, what))


def _data_of(file: SourceFile) -> Data:
    return b"" if file.link else FileData(Path(file.source), file.sha256)


def _entry_of(file: SourceFile, user: User) -> Entry:
    uid, gid = _owner_of(file, user)
    if file.link:
        return Entry(file.target, EntryKind.SYMLINK, 0o777, 0, file.link, uid, gid)
    return Entry(file.target, EntryKind.FILE, file.mode, file.size_bytes, "", uid, gid)


def _owner_of(file: SourceFile, user: User) -> tuple[int, int]:
    """Return the numbers of an owner, written `USER[:GROUP]` by numbers or the user's own name.

    Raises:
        AssemblyError: It is the name of somebody else.
    """
    if not file.owner:
        return 0, 0
    name, _, group = file.owner.partition(":")
    known = {"root": 0, user.name: user.uid}
    for part in filter(None, (name, group)):
        if not part.isdigit() and part not in known:
            raise AssemblyError(
                f"[[files]] owner {file.owner!r}: the image has no user {part!r}",
                hint=f"write {', '.join(map(repr, known))} or numbers, such as '1000:1000'",
            )
    uid = int(name) if name.isdigit() else known[name]
    if group:
        return uid, int(group) if group.isdigit() else {"root": 0}.get(group, user.gid)
    return uid, user.gid if uid == user.uid else uid
