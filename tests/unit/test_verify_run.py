"""What containers show is written down, judged, and nothing is left behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engines.docker.trial import EngineCheck
from orchestrator.errors import InterruptedByUserError
from orchestrator.model import Gates, ImageKind
from orchestrator.report.verification import verified_document, verified_lines
from orchestrator.verify.gate import Result, Verdict
from orchestrator.verify.gates import Verified, judge
from orchestrator.verify.log_lines import error_lines
from orchestrator.verify.observe import health_url, observe, observe_service
from orchestrator.verify.observed import Loaded, Observed
from orchestrator.verify.probes import Prober, find_prober
from tests.debs import file, make_elf
from tests.trials import (
    CONFIG,
    HEALTHY,
    FakeRuntime,
    Life,
    contents_of,
    subject_of,
    tried,
    verdict_of,
)

READY = HEALTHY.replace("/health", "/health/ready")
ANSWERS = {HEALTHY: (200, "ok"), READY: (503, '{"components": {"db": {"ready": false}}}')}
GOOD = EngineCheck("", 0, "")
BAD = EngineCheck("", 1, "connection refused")
LIFE = Life(ANSWERS, check=GOOD)
ERROR_LINE = '{"level": "error", "event": "boom"}'


def verdicts(folder: Path, life: Life, config: dict[str, Any] | None = None) -> dict[str, Verdict]:
    """Return what the gates say of a service with such a life, those that need a container."""
    runtime = FakeRuntime(life)
    said = {**CONFIG, **(config or {})}
    observed = observe(runtime, tried(config=said), runtime.clock)
    assert runtime.left == 0
    subject = subject_of(contents_of(folder, []), config=said, observed=observed)
    names = ["starts", "health", "ready", "healthy", "running-user", "writes", "log", "stops"]
    return {name: verdict for name in names if (verdict := verdict_of(name, subject))}


def failed(folder: Path, life: Life, config: dict[str, Any] | None = None) -> set[str]:
    found = verdicts(folder, life, config)
    return {name for name, verdict in found.items() if verdict.result is Result.FAILED}


def test_a_sound_service_passes_every_gate(tmp_path: Path) -> None:
    assert {v.result for v in verdicts(tmp_path, LIFE).values()} == {Result.PASSED}


def test_it_is_run_confined_once_read_only_and_once_not() -> None:
    runtime = FakeRuntime(LIFE)
    observe(runtime, tried(), runtime.clock)
    assert [confined.read_only for confined in runtime.confined] == [True, False]


def test_an_image_that_names_nothing_to_start_is_not_run(tmp_path: Path) -> None:
    runtime = FakeRuntime(LIFE)
    nothing = {**CONFIG, "Entrypoint": [], "Cmd": None}
    observed = observe(runtime, tried(config=nothing), runtime.clock)
    assert runtime.confined == []
    subject = subject_of(contents_of(tmp_path, []), config=nothing, observed=observed)
    for gate in ("starts", "writes"):
        verdict = verdict_of(gate, replace(subject, unobserved=""))
        assert verdict is not None
        assert verdict.result is Result.NOT_CHECKED
        assert verdict.says == "the image names nothing to start"


def test_a_service_that_may_write_is_run_once_and_not_asked_about_writes(tmp_path: Path) -> None:
    runtime = FakeRuntime(LIFE)
    observed = observe(runtime, tried(read_only=False), runtime.clock)
    assert [confined.read_only for confined in runtime.confined] == [False]
    gates = Gates(read_only=False)
    subject = subject_of(contents_of(tmp_path, []), gates=gates, observed=observed)
    assert verdict_of("writes", subject) is None


def test_a_service_that_takes_too_long_fails_and_the_time_is_evidence(tmp_path: Path) -> None:
    late = verdicts(tmp_path, replace(LIFE, there_after_s=40))["starts"]
    assert late.result is Result.FAILED
    assert late.limits == {"start_within_s": 30.0}
    soon = verdicts(tmp_path, replace(LIFE, there_after_s=20))["starts"]
    assert soon.result is Result.PASSED
    assert 20 <= soon.evidence["started_s"] < 22


def test_a_service_that_ends_fails_with_its_last_words(tmp_path: Path) -> None:
    life = replace(LIFE, there_after_s=9, ends_after_s=2, exit_code=3, log="a\nno database\n")
    found = verdicts(tmp_path, life)
    assert found["starts"].says == "it ended with exit code 3: no database"
    assert found["stops"].result is Result.NOT_CHECKED


def test_a_command_that_the_engine_refuses_is_a_start_that_failed(tmp_path: Path) -> None:
    found = verdicts(tmp_path, replace(LIFE, refuses="no such file: serve"))
    assert "no such file: serve" in found["starts"].says


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (200, "", Result.PASSED),
        (503, '{"components": {"db": false}}', Result.PASSED),
        (503, '{"db": {"ready": false}}', Result.PASSED),
        (503, "not ready", Result.FAILED),
        (503, "{}", Result.FAILED),
        (500, '{"components": {"db": false}}', Result.FAILED),
        (404, "", Result.NOT_CHECKED),
    ],
)
def test_ready_is_200_or_503_that_names_what_is_missing(
    tmp_path: Path, status: int, body: str, result: Result
) -> None:
    life = replace(LIFE, answers={**ANSWERS, READY: (status, body)})
    assert verdicts(tmp_path, life)["ready"].result is result


def test_a_healthcheck_on_the_wrong_port_fails_that_gate_alone(tmp_path: Path) -> None:
    wrong = {"Test": ["CMD", "/app/serve", "http://127.0.0.1:9999/health"]}
    assert failed(tmp_path, replace(LIFE, check=BAD), {"Healthcheck": wrong}) == {"healthy"}


def test_checks_that_fail_while_it_starts_do_not_count(tmp_path: Path) -> None:
    runtime = FakeRuntime(replace(LIFE, there_after_s=10, check=BAD))
    service = observe_service(runtime, tried(), runtime.clock)
    assert service.started_s is not None
    assert runtime.now_s - service.started_s > 2, "three more were waited for"


def test_the_exposed_port_is_asked_and_not_the_healthchecks() -> None:
    wrong = {"Test": ["CMD", "x", "http://localhost:9999/live?a=b"]}
    assert health_url({**CONFIG, "Healthcheck": wrong}) == "http://127.0.0.1:8000/live"
    assert health_url({"Healthcheck": wrong}) == "http://127.0.0.1:9999/live"
    assert (
        health_url({"ExposedPorts": {"53/udp": {}, "80/tcp": {}}}) == "http://127.0.0.1:80/health"
    )
    assert health_url({}) == ""


def test_a_worker_without_a_port_starts_if_it_stays(tmp_path: Path) -> None:
    silent: dict[str, Any] = {"ExposedPorts": {}, "Healthcheck": {}}
    life = Life(answers={})
    assert verdicts(tmp_path, life, silent)["starts"].result is Result.PASSED
    gone = replace(life, ends_after_s=1)
    assert failed(tmp_path, gone, silent) == {"starts"}


def test_a_process_of_root_fails(tmp_path: Path) -> None:
    second = (
        LIFE.processes.replace("1000", "0")
        .replace("Pid:\t1", "Pid:\t7")
        .replace("PPid:\t0", "PPid:\t1")
    )
    life = replace(LIFE, processes=f"{LIFE.processes}\n{second}")
    assert failed(tmp_path, life) == {"running-user"}


def test_another_user_than_the_images_fails(tmp_path: Path) -> None:
    other = {"User": "2000:2000"}
    assert failed(tmp_path, LIFE, other) == {"running-user"}


def test_what_was_run_in_a_container_is_no_process_of_it(tmp_path: Path) -> None:
    own = LIFE.processes.replace("1000", "0").replace("Pid:\t1", "Pid:\t9")
    life = replace(LIFE, processes=f"{LIFE.processes}\n{own}")
    assert failed(tmp_path, life) == set()


def test_a_service_that_writes_to_app_fails(tmp_path: Path) -> None:
    written = (("/app", True), ("/app/cache.db", False), ("/tmp", True), ("/tmp/x", False))
    verdict = verdicts(tmp_path, replace(LIFE, written=written))["writes"]
    assert verdict.evidence["written"] == ["/app/cache.db"]


def test_a_write_that_was_refused_fails(tmp_path: Path) -> None:
    line = "OSError: [Errno 30] Read-only file system: '/app/x'"
    assert failed(tmp_path, replace(LIFE, log=line)) == {"writes", "log"}


@pytest.mark.parametrize(
    "path", ["/tmp/x/y", "/app/__pycache__/a.pyc", "/etc/hosts", "/run", "/dev/shm"]
)
def test_what_engines_and_bytecode_write_does_not_count(tmp_path: Path, path: str) -> None:
    assert failed(tmp_path, replace(LIFE, written=((path, False),))) == set()


@pytest.mark.parametrize(
    ("ends_on", "result"),
    [
        ({"SIGTERM": 0}, Result.PASSED),
        ({"SIGTERM": 143}, Result.PASSED),
        ({"SIGTERM": 1}, Result.FAILED),
        ({}, Result.FAILED),
    ],
)
def test_sigterm_ends_a_service_in_time(
    tmp_path: Path, ends_on: dict[str, int], result: Result
) -> None:
    assert verdicts(tmp_path, replace(LIFE, ends_on=ends_on))["stops"].result is result


def test_an_images_own_stop_signal_is_used(tmp_path: Path) -> None:
    life = replace(LIFE, ends_on={"SIGQUIT": 0})
    assert failed(tmp_path, life, {"StopSignal": "SIGQUIT"}) == set()


def test_an_interruption_leaves_no_container() -> None:
    runtime = FakeRuntime(LIFE, interrupted=True)
    with pytest.raises(InterruptedByUserError):
        observe(runtime, tried(), runtime.clock)
    assert runtime.left == 0


@pytest.mark.parametrize(
    ("log", "errors"),
    [
        ("INFO started\nno error at all\n", []),
        ("2026 ERROR it broke\n", ["2026 ERROR it broke"]),
        (f"{ERROR_LINE}\n", [ERROR_LINE]),
        ("level=error msg=x", ["level=error msg=x"]),
        (
            "Traceback (most recent call last):\n  File 'x'\n    y()\nValueError: z\nINFO on\n",
            ["ValueError: z"],
        ),
        ("Traceback (most recent call last):\n  File 'x'\n", ["Traceback that is cut off"]),
        ("ERROR db: [Errno -3] Temporary failure in name resolution", []),
        ("Traceback (most recent call last):\n  x\nOSError: Connection refused\n", []),
        ('GET /errors HTTP/1.1" 200', []),
    ],
)
def test_errors_in_logs_are_told_from_the_lack_of_a_network(log: str, errors: list[str]) -> None:
    assert error_lines(log) == errors


def test_imports_and_libraries_that_fail_are_named(tmp_path: Path) -> None:
    loaded = Loaded(
        2, 3, (("soundfile", "OSError: libsndfile.so.1"),), (("libx.so", "libx.so: no"),)
    )
    contents = contents_of(
        tmp_path,
        [file("x.so", make_elf(needed=["liby.so"])), file("usr/lib/liby.so", make_elf())],
    )
    base = subject_of(contents, ImageKind.BASE, locked=("soundfile",))
    subject = replace(base, observed=Observed(loaded=loaded))
    imports, loads = verdict_of("imports", subject), verdict_of("loads", subject)
    assert imports is not None
    assert loads is not None
    assert imports.says == "soundfile: OSError: libsndfile.so.1"
    assert (imports.result, loads.result) == (Result.FAILED, Result.FAILED)
    unloaded = verdict_of("imports", replace(base, observed=Observed(), unobserved=""))
    assert unloaded is not None
    assert unloaded.says == "the image has no Python"


@pytest.mark.parametrize(
    ("ending", "says"),
    [
        ([{"at": "beta"}], "ended with exit code 139, at beta"),
        ([{"at": "beta"}, {"project": "beta", "why": "ImportError: x"}, {"at": ""}], ""),
    ],
)
def test_a_crash_while_importing_names_the_project(ending: list[object], says: str) -> None:
    log = "".join(f"orch-loading: {json.dumps(row)}\n" for row in [{"at": "alpha"}, *ending])
    life = replace(LIFE, log=f"noise\n{log}", ends_after_s=1, exit_code=139 if says else 0)
    runtime = FakeRuntime(life)
    observed = observe(runtime, tried(is_service=False, projects=("alpha", "beta")), runtime.clock)
    assert observed.loaded is not None
    assert observed.loaded.ended == says
    assert bool(observed.loaded.bad_packages) is not bool(says)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("opt/venv/bin/python", "python"),
        ("usr/local/bin/python3", "python"),
        ("usr/bin/curl", "curl"),
        ("bin/wget", "wget"),
        ("bin/sh", ""),
    ],
)
def test_an_image_is_asked_with_what_it_has(tmp_path: Path, path: str, kind: str) -> None:
    prober = find_prober(contents_of(tmp_path, [file(path, b"x", 0o755)]), "/opt/venv")
    assert prober.kind == kind
    assert prober.program == (f"/{path}" if kind else "")


@pytest.mark.parametrize(
    ("prober", "code", "said", "answer"),
    [
        (Prober("curl", "/curl"), 0, "body\n503", (503, "body")),
        (Prober("curl", "/curl"), 7, "curl: (7) refused\n000", (0, "000")),
        (Prober("wget", "/wget"), 0, "body", (200, "body")),
        (Prober("wget", "/wget"), 1, "server returned error: HTTP/1.1 503 No", (503, "")),
        (Prober("python", "/py"), 1, "Traceback\nConnectionRefusedError: x", (0, "Conn")),
    ],
)
def test_what_programs_say_is_read(
    prober: Prober, code: int, said: str, answer: tuple[int, str]
) -> None:
    class Says:
        def run(self, _command: object) -> tuple[int, str]:
            return code, said

    found = prober.ask(Says(), HEALTHY)  # type: ignore[arg-type]
    assert found.status == answer[0]
    assert found.body.startswith(answer[1])


def test_a_service_that_nothing_can_ask_is_not_checked_for_health(tmp_path: Path) -> None:
    runtime = FakeRuntime(LIFE)
    observed = observe(runtime, tried(prober=Prober()), runtime.clock)
    subject = subject_of(contents_of(tmp_path, []), observed=observed)
    health = verdict_of("health", subject)
    starts = verdict_of("starts", subject)
    assert health is not None
    assert starts is not None
    assert health.says == "the image has no Python, curl or wget to ask with"
    assert starts.result is Result.PASSED, "its healthcheck says that it is there"


def test_a_secret_that_a_service_logs_is_not_repeated(tmp_path: Path) -> None:
    secret = "AKIA" + "IOSFODNN7EXAMPLE"
    runtime = FakeRuntime(replace(LIFE, log=f"ERROR {secret} refused\n"))
    observed = observe(runtime, tried(), runtime.clock)
    subject = subject_of(contents_of(tmp_path, []), observed=observed)
    image = Verified("api", subject.platform, subject, judge(subject))
    shown = json.dumps(verified_document(image)) + "\n".join(verified_lines(image, sizes=False))
    assert "ERROR AKIA**** refused" in shown
    assert secret not in shown
