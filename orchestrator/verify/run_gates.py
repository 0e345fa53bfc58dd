"""Gates on what containers of an image showed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from orchestrator.verify.config_gates import ids_of_user
from orchestrator.verify.gate import Gate, Subject, Verdict, failed, listed, not_checked, passed
from orchestrator.verify.linker import shared_libraries
from orchestrator.verify.log_lines import error_lines, read_only_lines
from orchestrator.verify.observed import Answer, Loaded, Observed, Service

_OK, _NOT_FOUND, _UNAVAILABLE = 200, 404, 503
_ENDED_BY_SIGTERM = 143
_NOTHING = "the image names nothing to start"
_NOT_THERE = "the service did not start"


def _of_service(
    judge: Callable[[Subject, Service], Verdict],
) -> Callable[[Subject], Verdict | None]:
    """Have a service judged by what its container showed; bases are not started."""

    def judged(subject: Subject) -> Verdict | None:
        if not subject.is_service:
            return None
        if subject.observed is None or subject.observed.service is None:
            return not_checked(subject.unobserved or _NOTHING)
        return judge(subject, subject.observed.service)

    return judged


def _of_started(
    judge: Callable[[Subject, Service], Verdict],
) -> Callable[[Subject], Verdict | None]:
    """Have a service judged that was there; of another only `starts` and `log` say something."""

    def judged(subject: Subject, service: Service) -> Verdict:
        if service.started_s is None:
            return not_checked(_NOT_THERE)
        return judge(subject, service)

    return _of_service(judged)


def _starts(_: Subject, service: Service) -> Verdict:
    limits = {"start_within_s": service.within_s}
    if service.started_s is not None:
        took = round(service.started_s, 2)
        how = f"{service.url} answered after {took:g} s" if service.url else "it stays up"
        return replace(passed(how, started_s=took, url=service.url), limits=limits)
    if service.exit_code is not None:
        why = _last_line(service.log) or service.last.body
        says = f"it ended with exit code {service.exit_code}: {why}"
    elif service.url:
        says = (
            f"no answer 200 at {service.url} within {service.within_s:g} s: {_said(service.last)}"
        )
    else:
        says = f"its healthcheck did not pass within {service.within_s:g} s"
    measured = {"exit_code": service.exit_code, "url": service.url}
    return replace(failed(says, **measured), limits=limits)


def _health(_: Subject, service: Service) -> Verdict:
    answer = service.health
    if answer is None:
        return not_checked(_why_unasked(service))
    if answer.status == _NOT_FOUND and service.health_path != "/health":
        return not_checked(f"it has no /health; its healthcheck asks for {service.health_path}")
    if answer.status != _OK:
        return failed(f"/health: {_said(answer)}", status=answer.status)
    return passed("/health says 200", status=answer.status)


def _ready(_: Subject, service: Service) -> Verdict:
    answer = service.ready
    if answer is None:
        return not_checked(_why_unasked(service))
    if answer.status == _NOT_FOUND:
        return not_checked("it has no /health/ready")
    if answer.status == _OK:
        return passed("/health/ready says 200", status=_OK)
    if service.asked_with == "wget":
        return not_checked("the image has only wget, which keeps such an answer to itself")
    names = _named_components(answer.body)
    if answer.status != _UNAVAILABLE or not names:
        return failed(f"/health/ready: {_said(answer)}", status=answer.status)
    says = f"/health/ready says 503 and names {listed(names)}"
    return passed(says, status=answer.status, components=names)


def _named_components(body: str) -> list[str]:
    """Return the components that an answer names: keys of the first object in a JSON object."""
    try:
        document = json.loads(body)
    except ValueError:
        return []
    inner = document.get("components") if isinstance(document, dict) else None
    if inner is None and isinstance(document, dict):
        inner = next((value for value in document.values() if isinstance(value, dict)), document)
    return sorted(str(name) for name in inner) if isinstance(inner, dict | list) else []


def _running_user(subject: Subject, service: Service) -> Verdict:
    if not service.processes:
        return not_checked("the image has neither Python nor a shell to list processes with")
    ids = sorted({(process.uid, process.gid) for process in service.processes})
    measured: dict[str, Any] = {
        "processes": len(service.processes),
        "uids": sorted({uid for uid, _ in ids}),
        "gids": sorted({gid for _, gid in ids}),
    }
    wanted = ids_of_user(subject)
    shown = ", ".join(f"{uid}:{gid}" for uid, gid in ids)
    if any(0 in pair[:1] for pair in ids):
        return failed("a process of it runs as root", **measured)
    if wanted is not None and ids != [wanted]:
        return failed(f"it runs as {shown}, and the image says {wanted[0]}:{wanted[1]}", **measured)
    return passed(f"{len(service.processes)} processes run as {shown}", **measured)


def _writes(subject: Subject) -> Verdict | None:
    if not subject.is_service or not subject.gates.read_only:
        return None
    if subject.observed is None or subject.observed.service is None:
        return not_checked(subject.unobserved or _NOTHING)
    refused = read_only_lines(subject.observed.service.log)
    written = list(subject.observed.written or ())
    measured = {"written": written, "refused": refused}
    if written or refused:
        what = f"it writes to {listed(written)}" if written else f"refused: {refused[0]}"
        return failed(f"{what}; mount a volume there, or write to /tmp", **measured)
    if subject.observed.written is None:
        return not_checked("it starts neither read-only nor where it may write")
    return passed("it writes nothing outside /tmp", **measured)


def _log(_: Subject, service: Service) -> Verdict:
    lines = error_lines(service.log)
    if lines:
        return failed(f"{len(lines)} errors: {listed(lines, 2)}", errors=lines)
    return passed("no errors", lines=len(service.log.splitlines()))


def _healthy(subject: Subject, service: Service) -> Verdict:
    test = (subject.config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    if test[0] == "NONE":
        return not_checked("the image has no healthcheck")
    measured = {"exit_codes": [check.exit_code for check in service.checks], "test": list(test)}
    if service.is_healthy:
        return passed("the engine calls it healthy", **measured)
    last = service.checks[-1].output.splitlines() if service.checks else []
    why = last[-1] if last else "no output"
    says = f"the service answers, and its own healthcheck fails: {why}"
    return failed(says if service.checks else "its healthcheck never ran", **measured)


def _stops(_: Subject, service: Service) -> Verdict:
    if (stop := service.stop) is None:
        return failed(f"it ended by itself, with exit code {service.exit_code}")
    measured = {"signal": stop.signal, "took_s": round(stop.took_s, 2), "exit_code": stop.exit_code}
    limits = {"stop_within_s": stop.within_s}
    if stop.exit_code is None:
        verdict = failed(f"{stop.signal} did not end it within {stop.within_s:g} s", **measured)
    elif stop.exit_code in {0, _ENDED_BY_SIGTERM}:
        verdict = passed(f"{stop.signal} ended it after {stop.took_s:.1f} s", **measured)
    else:
        verdict = failed(f"{stop.signal} ended it with exit code {stop.exit_code}", **measured)
    return replace(verdict, limits=limits)


def _imports(subject: Subject) -> Verdict | None:
    if not subject.locked:
        return None
    loaded = _loaded(subject.observed)
    if loaded is None:
        return not_checked(subject.unobserved or "the image has no Python")
    rows = [f"{name}: {why}" for name, why in loaded.bad_packages]
    measured = {"projects": loaded.packages, "failed": rows, "ended": loaded.ended}
    if rows or loaded.ended:
        return failed(listed([*rows, *([loaded.ended] if loaded.ended else [])], 3), **measured)
    return passed(f"{loaded.packages} Python projects are imported", **measured)


def _loads(subject: Subject) -> Verdict | None:
    if not shared_libraries(subject.contents, subject.platform):
        return None
    loaded = _loaded(subject.observed)
    if loaded is None:
        return not_checked(subject.unobserved or "the image has no Python to load them with")
    rows = [why for _, why in loaded.bad_libraries]
    measured = {"libraries": loaded.libraries, "failed": rows}
    if rows:
        return failed(listed(rows, 3), **measured)
    return passed(f"{loaded.libraries} shared libraries are found by name", **measured)


def _loaded(observed: Observed | None) -> Loaded | None:
    return observed.loaded if observed else None


def _why_unasked(service: Service) -> str:
    if not service.asked_with:
        return "the image has no Python, curl or wget to ask with"
    return "the image exposes no port"


def _said(answer: Answer) -> str:
    return f"{answer.status} {answer.body[:200]}".strip() if answer.status else answer.body[:200]


def _last_line(text: str) -> str:
    return next((line.strip()[:300] for line in reversed(text.splitlines()) if line.strip()), "")


RUN_GATES = (
    Gate("starts", "it starts in time, read-only and without a network", _of_service(_starts)),
    Gate("health", "/health says 200", _of_started(_health)),
    Gate("ready", "/health/ready says 200, or 503 and what is missing", _of_started(_ready)),
    Gate("healthy", "its own healthcheck passes", _of_started(_healthy)),
    Gate("running-user", "no process is root's", _of_started(_running_user)),
    Gate("writes", "it writes nothing outside /tmp", _writes),
    Gate("log", "it logs no errors when it starts", _of_service(_log)),
    Gate("stops", "its stop signal ends it in time", _of_started(_stops)),
    Gate("imports", "every Python project can be imported", _imports),
    Gate("loads", "shared libraries are found by name", _loads),
)
