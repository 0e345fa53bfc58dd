"""Gates on what an image's configuration says, and on secrets in it or in files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from orchestrator.checks.secrets import FoundSecret, secret_of_variable
from orchestrator.verify.gate import Gate, Subject, Verdict, failed, listed, not_checked, passed

_EXECUTABLE = 0o111


def ids_of_user(subject: Subject) -> tuple[int, int] | None:
    """Return the numbers of the user and group that an image names; None where it is not known.

    A group that is not named is the user's in /etc/passwd, or 0 (OCI image specification,
    config.md, `User`).
    """
    user, _, group = str(subject.config.get("User", "")).partition(":")
    users = dict(_rows(subject, "etc/passwd"))
    groups = dict(_rows(subject, "etc/group"))
    row = users.get(user or "0") or next((r for r in users.values() if r[2] == user), None)
    uid = row[2] if row else user or "0"
    gid = (groups[group][2] if group in groups else group) or (row[3] if row else "0")
    return (int(uid), int(gid)) if uid.isdecimal() and gid.isdecimal() else None


def _rows(subject: Subject, path: str) -> Iterator[tuple[str, list[str]]]:
    for line in subject.contents.texts.get(path, "").splitlines():
        parts = line.split(":")
        if len(parts) > 3:
            yield parts[0], parts


def _user(subject: Subject) -> Verdict:
    said, ids = str(subject.config.get("User", "")), ids_of_user(subject)
    if ids is None:
        return failed(f"user {said!r} is not in the image's /etc/passwd", user=said)
    measured = {"user": said, "uid": ids[0], "gid": ids[1]}
    if ids[0] == 0 and subject.is_service:
        return failed("it runs as root", **measured)
    is_root = " (what stands on it says who it runs as)" if ids[0] == 0 else ""
    return passed(f"uid {ids[0]}, gid {ids[1]}{is_root}", **measured)


def _command(subject: Subject) -> Verdict | None:
    if not subject.is_service:
        return None
    words = [*(subject.config.get("Entrypoint") or ()), *(subject.config.get("Cmd") or ())]
    measured = {"command": words, "ports": sorted(subject.config.get("ExposedPorts") or ())}
    if not words:
        return failed("neither an entrypoint nor a command", **measured)
    program = _program(subject, words[0])
    if not program:
        return failed(f"{words[0]} is no program in the image", **measured)
    return passed(f"starts {program}", **measured)


def _program(subject: Subject, word: str) -> str:
    """Return the path that a command's first word stands for, if that can be run."""
    environment = dict(entry.partition("=")[::2] for entry in subject.config.get("Env") or ())
    folders = environment.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":")
    if "/" in word:
        folders = [str(subject.config.get("WorkingDir") or "/")]
    for folder in folders:
        path = posixpath.join(folder, word)
        file = subject.contents.find_file(path)
        if file is not None and file.mode & _EXECUTABLE:
            return path
    return ""


def _healthcheck(subject: Subject) -> Verdict | None:
    if not subject.is_service:
        return None
    test: Sequence[str] = (subject.config.get("Healthcheck") or {}).get("Test") or ()
    if not test or test[0] == "NONE":
        return not_checked("the image has no healthcheck")
    if test[0] == "CMD" and not _program(subject, test[1]):
        return failed(f"its healthcheck runs {test[1]}, which is no program in the image")
    return passed("the image has one", test=list(test))


def _secrets(subject: Subject) -> Verdict:
    found = [*_secrets_of_config(subject), *_secrets_of_files(subject)]
    rows = [f"{where}: {secret.kind} {secret.masked}" for where, secret in found]
    if rows:
        return failed(f"look like secrets: {listed(rows)}", found=rows)
    return passed("nothing looks like one", found=[])


def _secrets_of_config(subject: Subject) -> Iterator[tuple[str, FoundSecret]]:
    variables = [str(entry).partition("=")[::2] for entry in subject.config.get("Env") or ()]
    labels = (subject.config.get("Labels") or {}).items()
    for what, pairs in (("variable", variables), ("label", labels)):
        for name, value in pairs:
            if found := secret_of_variable(name, str(value)):
                yield f"{what} {name}", found


def _secrets_of_files(subject: Subject) -> Iterator[tuple[str, FoundSecret]]:
    for path, secrets in sorted(subject.contents.secrets.items()):
        if path in subject.owners:
            continue
        hidden = "" if path in subject.contents.files else " (in a layer below)"
        yield from ((f"/{path}:{secret.line}{hidden}", secret) for secret in secrets)


CONFIG_GATES = (
    Gate("user", "the image names a user that is not root", _user),
    Gate("command", "what the image starts is in it", _command),
    Gate("healthcheck", "the image has a healthcheck that can run", _healthcheck),
    Gate("secrets", "no secrets in variables, labels and files", _secrets),
)
