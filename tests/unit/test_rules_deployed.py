"""Rules over Kubernetes, Helm and Compose files: what breaks each, and what nearly does."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.checks.finding import Severity
from orchestrator.checks.rules import RULES, deployed, probes
from orchestrator.errors import WorkspaceError
from orchestrator.externals import LockedExternal
from orchestrator.lockfile import Lock
from orchestrator.lockwriting import format_lock
from tests.rules import SETTINGS, findings, marked

API = """\
from = "debian:bookworm"
[config]
user = "1000"
expose = ["8000"]
[healthcheck]
http = "http://127.0.0.1:8000/health"
"""
WEB = """\
FROM debian:bookworm-slim
EXPOSE 9000/tcp 9100 9200-9205
HEALTHCHECK --interval=10s \\
    CMD ["curl", "-f", "http://localhost:9000/up"]
"""
AROUND = {"services/api/image.toml": API, "services/web/Dockerfile": WEB}
OURS = "registry.example.com/team"
DIGEST = f"sha256:{'0' * 64}"


def pod(image: str, more: str = "") -> str:
    """Return a pod of one container, further keys of which may follow."""
    lines = "".join(f"      {line}\n" for line in more.splitlines())
    head = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: it\nspec:\n  containers:\n"
    return f"{head}    - name: c\n      image: {image}\n{lines}"


def probe(path: str, port: object, kind: str = "liveness") -> str:
    return f"{kind}Probe:\n  httpGet:\n    path: {path}\n    port: {port}\n"


BROKEN = {
    "capitals": ("deployed-placeholder", pod("PLACEHOLDER/api:latest"), "PLACEHOLDER/api:latest"),
    "brackets": ("deployed-placeholder", pod('"<registry>/api:1"'), '"<registry>/api:1"'),
    "change me": ("deployed-placeholder", pod("r.io/team/CHANGE_ME:1"), "r.io/team/CHANGE_ME:1"),
    "tag": ("deployed-placeholder", pod("r.io/team/x:REPLACE_ME"), "r.io/team/x:REPLACE_ME"),
    "example": ("deployed-placeholder", pod("example.com/x:1"), "example.com/x:1"),
    "account": (
        "deployed-placeholder",
        pod("ACCOUNT_ID.dkr.ecr.eu-west-1.amazonaws.com/x:1"),
        "ACCOUNT_ID.dkr.ecr.eu-west-1.amazonaws.com/x:1",
    ),
    "gone": ("deployed-unknown-image", pod(f"{OURS}/apis:1"), f"{OURS}/apis:1"),
    "gone by digest": (
        "deployed-unknown-image",
        pod(f"{OURS}/old@{DIGEST}"),
        f"{OURS}/old@{DIGEST}",
    ),
    "latest": ("deployed-latest", pod("redis:latest"), "redis:latest"),
    "no tag": ("deployed-latest", pod("localhost:5000/redis"), "localhost:5000/redis"),
    "tag of ours": ("deployed-by-tag", pod(f"{OURS}/api:1.4"), f"{OURS}/api:1.4"),
    "tag of ours that a Dockerfile makes": (
        "deployed-by-tag",
        pod(f"{OURS}/web:1.4"),
        f"{OURS}/web:1.4",
    ),
    "template": (
        "deployment-unreadable",
        pod("{{ .Values.image }} x"),
        "      image: {{ .Values.image }} x",
    ),
    "no YAML": ("deployment-unreadable", "image: [\n", ""),
    "port": ("port-not-exposed", pod("api", "ports:\n- containerPort: 8080\n"), "8080"),
    "port of a Dockerfile": (
        "port-not-exposed",
        pod("web:1", "ports:\n- containerPort: 9001\n"),
        "9001",
    ),
    "probe's port": ("probe-mismatch", pod("api", probe("/health", 8001)), "/health"),
    "probe's path": ("probe-mismatch", pod("api", probe("/healthz", 8000)), "/healthz"),
    "probe of the root": ("probe-mismatch", pod("api", probe("/", 8000)), "/"),
    "probe of a Dockerfile": ("probe-mismatch", pod("web", probe("/down", 9000)), "/down"),
    "probe of a named port": (
        "probe-mismatch",
        pod("web", "ports:\n- name: x\n  containerPort: 8000\n" + probe("/up", "x", "startup")),
        "/up",
    ),
}

PASSING = {
    "a name with such a word": ("deployed-placeholder", pod("r.io/team/placeholders:1")),
    "our own example": ("deployed-placeholder", pod(f"{OURS}/api:1")),
    "a variable": ("deployed-placeholder", pod('"${REGISTRY}/api:1"')),
    "one of ours": ("deployed-unknown-image", pod(f"{OURS}/api:1")),
    "a longer prefix": ("deployed-unknown-image", pod(f"{OURS}s/apis:1")),
    "a variable behind the prefix": ("deployed-unknown-image", pod(f"{OURS}/${{NAME}}:1")),
    "a version": ("deployed-latest", pod("localhost:5000/redis:7.4")),
    "latest with a digest": ("deployed-latest", pod(f"redis:latest@{DIGEST}")),
    "a variable for a tag": ("deployed-latest", pod("redis:${TAG}")),
    "latest of a placeholder": ("deployed-latest", pod("PLACEHOLDER/x:latest")),
    "ours without a tag": ("deployed-latest", pod("api")),
    "ours by digest": ("deployed-by-tag", pod(f"{OURS}/api:1@{DIGEST}")),
    "not ours": ("deployed-by-tag", pod("redis:7")),
    "no image at all": ("deployment-unreadable", "a: [\n"),
    "a port of a range": ("port-not-exposed", pod("web", "ports:\n- containerPort: 9203\n")),
    "an exposed port": ("port-not-exposed", pod("web", "ports:\n- containerPort: 9100\n")),
    "a port of others": ("port-not-exposed", pod("redis:7", "ports:\n- containerPort: 1\n")),
    "a path below": ("probe-mismatch", pod("api", probe("/health/ready", 8000))),
    "a probe of TCP": ("probe-mismatch", pod("api", "livenessProbe:\n  tcpSocket: {port: 8000}")),
    "the healthcheck's path": ("probe-mismatch", pod("web", probe("/up?x=1", 9000))),
}


@pytest.mark.parametrize(("rule", "text", "place"), BROKEN.values(), ids=BROKEN)
def test_a_fault_is_found_at_its_place(tmp_path: Path, rule: str, text: str, place: str) -> None:
    (found,) = findings(tmp_path, {**AROUND, "deploy/api.yaml": text}, rule)
    assert found.file == "deploy/api.yaml"
    if place:
        assert marked(tmp_path, found) == place


@pytest.mark.parametrize(("rule", "text"), PASSING.values(), ids=PASSING)
def test_what_is_nearly_a_fault_passes(tmp_path: Path, rule: str, text: str) -> None:
    assert not findings(tmp_path, {**AROUND, "deploy/api.yaml": text}, rule)


def test_a_placeholder_that_a_kustomization_replaces_is_none(tmp_path: Path) -> None:
    files = {
        **AROUND,
        "k/base.yaml": pod("PLACEHOLDER/api"),
        "k/kustomization.yaml": f"images:\n- name: PLACEHOLDER/api\n  newName: {OURS}/api\n",
    }
    assert not findings(tmp_path, files, "deployed-placeholder")
    files["k/kustomization.yaml"] = "images:\n- name: PLACEHOLDER/other\n  newName: x\n"
    assert len(findings(tmp_path, files, "deployed-placeholder")) == 1


def test_an_image_that_compose_builds_may_be_called_anything(tmp_path: Path) -> None:
    text = f"services:\n  a:\n    build: .\n    image: {OURS}/mine\n  b:\n    image: redis\n"
    files = {**AROUND, "compose.yaml": text}
    assert not findings(tmp_path, files, "deployed-unknown-image")
    (found,) = findings(tmp_path, files, "deployed-latest")
    assert marked(tmp_path, found) == "redis"


def test_a_default_of_a_variable_counts(tmp_path: Path) -> None:
    text = "services:\n  b:\n    image: redis:${TAG:-latest}\n"
    (found,) = findings(tmp_path, {**AROUND, "compose.yaml": text}, "deployed-latest")
    assert "redis:${TAG:-latest}" in found.message


def test_values_of_a_chart_without_a_tag_are_the_charts_business(tmp_path: Path) -> None:
    text = "image:\n  repository: redis\n  tag: ''\n"
    assert not findings(tmp_path, {**AROUND, "chart/values.yaml": text}, "deployed-latest")
    version = text.replace("''", "'7'")
    assert not findings(tmp_path, {**AROUND, "chart/values.yaml": version}, "deployed-latest")
    text = text.replace("''", "latest")
    assert findings(tmp_path, {**AROUND, "chart/values.yaml": text}, "deployed-latest")


def test_behind_a_host_alone_an_unknown_image_may_be_somebody_elses(tmp_path: Path) -> None:
    files = {**AROUND, "a.yaml": pod("registry.example.com/old:1")}
    files["orch.toml"] = 'registry = "registry.example.com"\n'
    (found,) = findings(tmp_path, files, "deployed-unknown-image")
    assert found.severity is Severity.WARNING
    (found,) = findings(tmp_path, {**AROUND, "a.yaml": pod(f"{OURS}/old:1")}, found.rule)
    assert found.severity is Severity.ERROR


def test_the_nearest_name_is_the_hint(tmp_path: Path) -> None:
    (found,) = findings(
        tmp_path, {**AROUND, "a.yaml": pod(f"{OURS}/apis:1")}, "deployed-unknown-image"
    )
    assert found.hint == "did you mean api?"


def test_a_comment_in_the_manifest_suppresses(tmp_path: Path) -> None:
    text = pod("redis:latest  # orch: ignore[deployed-latest] a cache that may go")
    assert not findings(tmp_path, {**AROUND, "a.yaml": text}, "deployed-latest")


def test_a_glob_of_the_settings_that_leads_out_is_an_error(tmp_path: Path) -> None:
    files = {**AROUND, "orch.toml": f'{SETTINGS}deployments = ["../*.yaml"]\n'}
    with pytest.raises(WorkspaceError, match="deployments"):
        findings(tmp_path, files, "deployed-latest")


def test_the_settings_say_which_files_count(tmp_path: Path) -> None:
    files = {**AROUND, "a.yaml": pod("redis"), "deploy/b.yaml": pod("redis")}
    files["orch.toml"] = 'deployments = ["deploy/*.yaml"]\n'
    assert [one.file for one in findings(tmp_path, files, "deployed-latest")] == ["deploy/b.yaml"]


def test_every_rule_has_a_case_that_breaks_it_and_one_that_passes() -> None:
    theirs = {
        id(one)
        for module in (
            deployed,
            probes,
        )
        for one in vars(module).values()
    }
    ids = {one.id for one in RULES if id(one) in theirs}
    assert ids <= {rule for rule, *_ in BROKEN.values()}
    assert ids <= {rule for rule, *_ in PASSING.values()}


@pytest.mark.parametrize(("digest", "count"), [(DIGEST, 1), ("", 0)])
def test_an_external_image_by_tag_is_found_where_the_lock_has_its_digest(
    tmp_path: Path, digest: str, count: int
) -> None:
    pinned = LockedExternal("nginx:1.27", digest, "" if digest else "it was out of reach")
    lock = {"orch.lock": format_lock(Lock(externals=(pinned,)))}
    for reference, expected in (("nginx:1.27", count), ("nginx:1.28", 0)):
        files = {**AROUND, **lock, "deploy/api.yaml": pod(reference)}
        found = findings(tmp_path, files, "deployed-by-tag")
        assert len(found) == expected
        assert all(digest in one.hint for one in found)


def test_what_is_no_range_of_ports_exposes_nothing(tmp_path: Path) -> None:
    web = {"services/web/Dockerfile": "FROM debian:bookworm\nEXPOSE 8000-x 9000\n"}
    files = {**AROUND, **web, "deploy/api.yaml": pod("web", "ports:\n- containerPort: 8000\n")}
    (found,) = findings(tmp_path, files, "port-not-exposed")
    assert marked(tmp_path, found) == "8000"


@pytest.mark.parametrize(
    ("name", "hint"), [("api", "orch deploy deploy/api.yaml"), ("apis", "as it is published")]
)
def test_a_placeholder_of_an_image_is_left_to_orch_deploy(
    tmp_path: Path, name: str, hint: str
) -> None:
    files = {**AROUND, "deploy/api.yaml": pod(f"PLACEHOLDER/{name}:latest")}
    (found,) = findings(tmp_path, files, "deployed-placeholder")
    assert hint in found.hint
