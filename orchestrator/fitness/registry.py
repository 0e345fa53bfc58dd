"""Checks of a registry and its credentials; an upload that is begun is given up again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable

from orchestrator.errors import OrchError
from orchestrator.fitness.finding import Finding, fail, ok, warn
from orchestrator.publish.credentials import CredentialStore, credential_files
from orchestrator.publish.exchange import Answer, Request
from orchestrator.publish.reference import Repository
from orchestrator.publish.wire import Wire


def check_credentials(hosts: Iterable[str]) -> list[Finding]:
    """Check that what is kept for registries can be had: no helper lacks, none of theirs fails."""
    check, hosts = "credentials", list(hosts)
    try:
        missing = sorted(name for name in helper_programs() if shutil.which(name) is None)
    except OrchError as error:
        return [fail(check, str(error), error.hint)]
    found = [
        warn(check, f"{name} is not on the PATH", "install it, or take it out of Docker's config")
        for name in missing
    ]
    for host in hosts:
        try:
            CredentialStore().find(Repository(host, "orch-doctor"))
        except OrchError as error:
            found.append(fail(check, str(error), error.hint))
    return found or [ok(check, f"those for {', '.join(hosts) or 'registries'} can be read")]


def helper_programs() -> set[str]:
    """Return the names of the programs that the files of credentials ask.

    Raises:
        OrchError: A file is no JSON.
    """
    names: set[str] = set()
    for file in credential_files():
        try:
            config = json.loads(file.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError):  # says nothing of the content, which is secret
            hint = "mend it, or move it away and run: docker login HOST"
            raise OrchError("cannot be read as JSON", file=file, hint=hint) from None
        if isinstance(config, dict):
            helpers = [*(config.get("credHelpers") or {}).values(), config.get("credsStore")]
            names |= {f"docker-credential-{name}" for name in helpers if name}
    return names


def check_registry(wire: Wire, repository: Repository) -> tuple[list[Finding], str]:
    """Check that images can be pushed; return what was found, and what time it is there."""
    host = repository.host
    try:
        answer = wire.send(Request("GET", repository, "/v2/"))
    except OrchError as error:
        hint = error.hint or "see to the network, and to registry in the settings"
        return [fail("registry", error.message, hint)], ""
    if answer.status not in {200, 401, 403}:
        hint = "is that the registry's host? registry in the settings is HOST/PREFIX"
        message = f"{host} answers {answer.status}, as no registry does"
        return [fail("registry", message, hint)], answer.headers.get("date", "")
    found = [ok("registry", f"{host} answers"), _check_upload(wire, repository)]
    return found, answer.headers.get("date", "")


def _check_upload(wire: Wire, repository: Repository) -> Finding:
    """Begin an upload, which no registry takes from who may not push, and give it up."""
    check, begin = "registry-write", Request("POST", repository, "blobs/uploads/")
    try:
        answer = wire.send(begin)
        if answer.status == 202:
            return _give_up(wire, repository, answer)
    except OrchError as error:
        return fail(check, error.message, error.hint)
    refused = wire.refused(begin, answer)
    if answer.status == 404:
        return warn(check, refused.message, refused.hint)
    return fail(check, refused.message, refused.hint)


def _give_up(wire: Wire, repository: Repository, begun: Answer) -> Finding:
    answer = wire.send(Request("DELETE", repository, begun.location))
    kept = "" if answer.status in {200, 202, 204} else "; it forgets the upload by itself"
    return ok("registry-write", f"{repository} may be written to{kept}")
