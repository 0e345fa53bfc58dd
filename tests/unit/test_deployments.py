"""Kubernetes, Kustomize, Helm and Compose files: which images they name, and exactly where."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.deployments import DeploymentFile, ImageUse, read_deployment
from orchestrator.deployments.documents import parse_documents
from orchestrator.deployments.finding import find_deployment_paths
from orchestrator.deployments.plain import parse_plain
from orchestrator.deployments.values import Part
from orchestrator.errors import WorkspaceError
from orchestrator.model import Settings
from tests.helpers import write_tree

DEPLOYMENT = """\
# what runs in production
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  template:
    spec:
      initContainers:
        - name: migrate
          image: "registry.example.com/team/migrate:1"  # first
      containers:
        - name: api
          image: api:1.2
          ports:
            - {name: http, containerPort: 8000}
          livenessProbe:
            httpGet: {path: /health/live, port: http}
          readinessProbe:
            tcpSocket:
              port: 8001
---
apiVersion: v1
kind: Service
metadata:
  name: api
"""
CRON = """\
apiVersion: v1
kind: List
items:
- apiVersion: batch/v1
  kind: CronJob
  metadata: {name: sweep}
  spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: sweep:2}]}}}}}
- apiVersion: v1
  kind: Pod
  metadata: {name: alone}
  spec: {containers: [{name: p, image: !!str 'pod:3'}]}
"""
COMPOSE = """\
x-worker: &worker
  image: &name registry.example.com/team/worker:${TAG:-1}
  healthcheck:
    test: ["CMD-SHELL", "curl -f http://localhost:8205/health || exit 1"]
services:
  one:
    <<: *worker
    ports: ["127.0.0.1:80:8205/tcp", 9000]
  two:
    <<: [*worker]
  three:
    image: *name
  web:
    build: .
    image: web
    ports:
      - target: 8080
        published: "80"
"""


def uses(text: str, path: str = "deploy.yaml") -> tuple[ImageUse, ...]:
    return read_deployment(path, text).uses


def notes(text: str, path: str = "deploy.yaml") -> list[tuple[int, str]]:
    file: DeploymentFile = read_deployment(path, text)
    assert not file.uses
    return [(note.line, note.text) for note in file.notes]


def named(text: str, path: str = "deploy.yaml") -> list[tuple[str, str, str]]:
    return [(use.resource, use.container, use.reference) for use in uses(text, path)]


def written(text: str, path: str) -> list[tuple[Part, str]]:
    """Return the stretches of text that the uses say they are written in."""
    found = [part for use in uses(text, path) for part in use.written]
    return [(part.part, text[part.span.start : part.span.end]) for part in found]


def test_containers_and_init_containers_are_found() -> None:
    assert named(DEPLOYMENT) == [
        ("Deployment/api", "migrate", "registry.example.com/team/migrate:1"),
        ("Deployment/api", "api", "api:1.2"),
    ]


def test_objects_in_lists_are_found_and_cron_jobs_too() -> None:
    assert named(CRON) == [("CronJob/sweep", "c", "sweep:2"), ("Pod/alone", "p", "pod:3")]


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job", "Rollout"])
def test_whatever_has_a_pods_containers_is_read(kind: str) -> None:
    assert named(DEPLOYMENT.replace("Deployment", kind))[1] == (f"{kind}/api", "api", "api:1.2")


def test_volumes_of_a_pod_may_be_images() -> None:
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  volumes:\n"
        "  - name: weights\n    image:\n      reference: r.example.com/weights:1\n"
        "  - name: tmp\n    emptyDir: {}\n"
    )
    assert named(text) == [("Pod/p", "weights", "r.example.com/weights:1")]


CUSTOM = """\
apiVersion: monitoring.example.com/v1
kind: Prometheus
metadata: {name: p, annotations: {image: r.example.com/noted:1}}
spec:
  image: r.example.com/prometheus:3
  disk: {image: debian-12}
  values:
    api: {image: {repository: r.example.com/api, tag: "1"}}
  containers:
  - {name: side, image: r.example.com/side:1}
"""


def test_custom_kinds_name_images_as_values_of_charts_do() -> None:
    assert named(CUSTOM) == [
        ("Prometheus/p", "image", "r.example.com/prometheus:3"),
        ("Prometheus/p", "values.api.image", "r.example.com/api:1"),
        ("Prometheus/p", "side", "r.example.com/side:1"),
    ]


@pytest.mark.parametrize("group", ["v1", "apps/v1", "networking.k8s.io/v1"])
def test_kinds_of_kubernetes_name_images_in_pods_only(group: str) -> None:
    text = CUSTOM.replace("monitoring.example.com/v1", group)
    assert [container for _, container, _ in named(text)] == ["side"]


def test_a_use_knows_the_exact_text_it_stands_in() -> None:
    first, second = uses(DEPLOYMENT)
    assert DEPLOYMENT[first.span.start : first.span.end] == '"registry.example.com/team/migrate:1"'
    assert (second.span.line, second.span.column) == (14, 18)
    (key,) = {part.key for part in second.written}
    assert (DEPLOYMENT[key.start : key.end], key.column) == ("image", 11)


def test_tags_and_anchors_are_no_part_of_the_text_that_may_be_replaced() -> None:
    assert written(CRON, "a.yaml")[1] == (Part.REFERENCE, "'pod:3'")
    place = "registry.example.com/team/worker:${TAG:-1}"
    assert written(COMPOSE, "compose.yaml")[0] == (Part.REFERENCE, place)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_are_those_of_the_file_whatever_ends_them(newline: str) -> None:
    text = DEPLOYMENT.replace("\n", newline)
    assert [use.span.line for use in uses(text)] == [11, 14]
    assert [part for _, part in written(text, "a.yaml")][1] == "api:1.2"


def test_a_byte_order_mark_moves_no_span() -> None:
    assert written("\ufeff" + DEPLOYMENT, "a.yaml") == written(DEPLOYMENT, "a.yaml")


def test_ports_and_probes_are_those_of_their_container() -> None:
    _, api = uses(DEPLOYMENT)
    assert [(port.number, port.name) for port in api.ports] == [(8000, "http")]
    assert [(probe.kind, probe.port, probe.path) for probe in api.probes] == [
        ("liveness", 8000, "/health/live"),
        ("readiness", 8001, ""),
    ]


def test_a_probe_of_another_host_is_none_of_the_containers() -> None:
    text = DEPLOYMENT.replace("port: http}", "port: http, host: example.com}")
    assert [probe.kind for probe in uses(text)[1].probes] == ["readiness"]


def test_compose_services_share_an_image_through_an_anchor() -> None:
    assert named(COMPOSE, "compose.yaml") == [
        ("service/one", "one", "registry.example.com/team/worker:${TAG:-1}"),
        ("service/web", "web", "web"),
    ]


def test_compose_says_ports_in_the_container_and_its_healthcheck() -> None:
    one, web = uses(COMPOSE, "compose.yaml")
    assert [port.number for port in one.ports] == [8205, 9000]
    assert [(probe.port, probe.path) for probe in one.probes] == [(8205, "/health")]
    assert [port.number for port in web.ports] == [8080]
    assert (one.built, web.built) == (False, True)


def test_kustomize_names_what_stands_in_for_what() -> None:
    text = (
        "images:\n- name: PLACEHOLDER/api\n  newName: r.example.com/api\n  newTag: v1\n"
        "- name: foo\n  digest: sha256:00\n"
    )
    first, second = uses(text, "overlay/kustomization.yaml")
    assert (first.replaces, first.reference) == ("PLACEHOLDER/api", "r.example.com/api:v1")
    assert second.reference == "foo@sha256:00"
    assert written(text, "kustomization.yaml")[:2] == [
        (Part.REPOSITORY, "r.example.com/api"),
        (Part.TAG, "v1"),
    ]


VALUES = """\
api:
  image:
    registry: r.example.com
    repository: team/api
    tag: "1.2"
    digest: ""
worker: {initImage: {repository: worker}}
jobs:
  - image: sweep:2
imagePullPolicy: Always
"""


def test_helm_values_have_parts_of_references_at_any_depth() -> None:
    assert named(VALUES, "chart/values-prod.yaml") == [
        ("values", "api.image", "r.example.com/team/api:1.2"),
        ("values", "worker.initImage", "worker"),
        ("values", "jobs[0].image", "sweep:2"),
    ]
    assert written(VALUES, "values.yaml")[:3] == [
        (Part.REPOSITORY, "team/api"),
        (Part.REGISTRY, "r.example.com"),
        (Part.TAG, '"1.2"'),
    ]


def test_files_of_other_kinds_name_no_images() -> None:
    assert not uses(VALUES, "settings.yaml")
    assert not uses("jobs:\n  test:\n    container:\n      image: node:20\n", "ci.yaml")


def test_schemas_of_custom_resources_are_not_parsed() -> None:
    text = "apiVersion: v1\nkind: CustomResourceDefinition\nimage: [\n"
    assert read_deployment("crd.yaml", text) == DeploymentFile("crd.yaml")


def test_a_document_that_is_no_yaml_spoils_no_other() -> None:
    file = read_deployment("a.yaml", f"image: [\n---\n{DEPLOYMENT}")
    assert [use.container for use in file.uses] == ["migrate", "api"]
    assert [note.line for note in file.notes] == [2]
    assert file.notes[0].text.startswith("cannot be read as YAML: ")


def test_templates_are_left_out_with_a_note() -> None:
    assert notes("kind: Pod\nimage: {{ .Values.image }} x\n") == [(2, "a template, so not read")]
    assert notes(DEPLOYMENT + "# {{ x }}", "chart/templates/a.yaml") == [
        (1, "a template of a chart, so not read")
    ]
    quoted = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: '{{ x }}:1'}]}\n"
    assert notes(quoted) == [(3, "'{{ x }}:1' is a template, so not read")]


BOMB = "a: &a [image]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefghijk", "bcdefghijkl", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        f"apiVersion: v1\nkind: List\n{BOMB}",
        "kind: &a [*a, image]",
        "services: &a\n  <<: *a\n  x: {<<: *a, image: *a}\n",
    ],
    ids=["bomb", "bomb-in-a-list", "knot", "merged-knot"],
)
def test_aliases_are_never_multiplied(text: str) -> None:
    assert read_deployment("values.yaml", text).uses == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("image: {" * 20_000, "nested too deeply"),
        ("image:\n" + "\n".join(" " * n + "a:" for n in range(500)), "nested too deeply"),
        ("image: x #" + "a" * 300_000, "a document of more than 256 KiB"),
        ("image: a\n\tb: c\n", "found character '\\t' that cannot start any token"),
        ("image: \0", "unacceptable character #x0000: special characters are not allowed"),
        ("image: *other", "found undefined alias 'other'"),
    ],
    ids=["flow", "block", "long", "tab", "null", "alias"],
)
def test_hostile_documents_get_a_note_that_says_why(text: str, why: str) -> None:
    (note,) = notes(text)
    assert why in note[1]


def test_of_equal_keys_the_last_counts() -> None:
    text = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: a, image: b}]}\n"
    assert [use.reference for use in uses(text)] == ["b"]


@pytest.mark.parametrize("image", ["''", "'  '", "[]", "{a: b}"])
def test_what_is_blank_or_no_scalar_is_no_image(image: str) -> None:
    text = f"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: {image}\n"
    assert not uses(text)


def test_usual_manifests_need_no_full_parser() -> None:
    plain = DEPLOYMENT.replace("{name: http, containerPort: 8000}", "containerPort: 8000")
    plain = plain.replace(" {path: /health/live, port: http}", "\n              port: http")
    assert parse_plain(plain.partition("---")[0], 0)
    assert parse_plain(CRON, 0) is None


def test_documents_without_images_are_not_parsed() -> None:
    assert len(list(parse_documents(DEPLOYMENT))) == 1


def test_the_settings_name_files_or_all_yaml_counts(tmp_path: Path) -> None:
    listed = ("a.yaml", "deploy/b.yml", "vendor/c.yaml", "chart/charts/d/values.yaml")
    write_tree(tmp_path, dict.fromkeys(listed, ""))
    found = Settings(tmp_path / "orch.toml")
    assert find_deployment_paths(tmp_path, found, listed) == ("a.yaml", "deploy/b.yml")
    named = Settings(tmp_path / "orch.toml", deployments=("vendor/*.yaml", "**/b.yml"))
    assert find_deployment_paths(tmp_path, named, listed) == ("deploy/b.yml", "vendor/c.yaml")


@pytest.mark.parametrize("pattern", ["../*.yaml", "/etc/*.yaml", ""])
def test_a_glob_that_leads_out_is_refused(tmp_path: Path, pattern: str) -> None:
    settings = Settings(tmp_path / "orch.toml", deployments=(pattern,))
    with pytest.raises(WorkspaceError, match="names no files of the workspace"):
        find_deployment_paths(tmp_path, settings, ())
