"""`orch deploy` as a user types it, against a registry in this process."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from orchestrator.deployments import ImageUse, read_deployment
from tests.deployments import FILES
from tests.helpers import ROOT, write_tree, write_workspace
from tests.registries import TinyRegistry
from tests.verbs import Orch, forget_credentials, orch_in

IMAGES = ("api", "store", "web", "worker")


@pytest.fixture
def tiny() -> Iterator[TinyRegistry]:
    with TinyRegistry().running() as tiny:
        for name in IMAGES:
            for tag in ("1.4", "1.5", "1.4.0", "latest"):
                publish(tiny, name, tag)
        yield tiny


def publish(tiny: TinyRegistry, name: str, tag: str, content: str = "") -> str:
    """Let a tag name a manifest; return its digest."""
    data = json.dumps({"what": f"{name} {tag} {content}"}).encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    tiny.manifests[f"team/{name}", digest] = ("application/vnd.oci.image.index.v1+json", data)
    tiny.tags[f"team/{name}", tag] = digest
    return digest


@pytest.fixture
def ws(
    tmp_path: Path, orch_cache: Path, tiny: TinyRegistry, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Write a workspace with all kinds of files, in a home without credentials."""
    forget_credentials(monkeypatch, tmp_path / "home")
    images = {f"services/{name}": f'from = "{ROOT}"\n' for name in IMAGES}
    root = write_workspace(tmp_path / "ws", images)
    settings = root / "orch.toml"
    ours = (
        f'registry = "{tiny.address}/team"\ndeployments = ["deploy/*", "chart/*", "compose.yaml"]\n'
    )
    settings.write_text(ours + settings.read_text())
    return write_tree(root, files_of(tiny))


def files_of(tiny: TinyRegistry) -> dict[str, str]:
    return {
        path: text.replace("registry.example.com", tiny.address) for path, text in FILES.items()
    }


@pytest.fixture
def orch(ws: Path, capsys: pytest.CaptureFixture[str]) -> Orch:
    return orch_in(ws, capsys)


def texts(ws: Path) -> dict[str, str]:
    return {path: (ws / path).read_bytes().decode() for path in FILES}


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line[2:] for line in lines if line[0] in "+-"]


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the scalars of a document, by their path."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in pairs:
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), str(value)


def leaves_of(text: str) -> set[tuple[tuple[str, ...], str]]:
    return set(leaves(list(YAML(typ="safe", pure=True).load_all(text))))


@pytest.mark.parametrize("path", FILES)
def test_only_lines_of_images_change(orch: Orch, ws: Path, tiny: TinyRegistry, path: str) -> None:
    ours = f"{tiny.address}/team"
    before = texts(ws)[path]
    assert orch("deploy").code == 0
    after = texts(ws)[path]
    assert (before != after) == (path != "deploy/base.yaml")
    keys = "image|imageTag|newName|newTag|digest|tag|reference"
    line = re.compile(rf" *(- )?(\w+: )?(\{{.*)?({keys}): .*\n")
    rest = [one for one in changed_lines(before, after) if not line.fullmatch(one)]
    assert rest in ([], [f"              {ours}/worker:1.4\n"])  # of a `>-`
    moved = {where[-1] for where, _ in leaves_of(before) ^ leaves_of(after)}
    assert moved <= set(keys.split("|"))
    comments = [re.findall(r" +#.*", text) for text in (before, after)]
    assert comments[0] == comments[1]


def test_every_image_of_the_workspace_is_named_by_its_tag_and_digest(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    named = {
        (use.file, use.span.start): use.reference
        for path, text in texts(ws).items()
        for use in read_deployment(path, text).uses
    }
    images = orch("deploy", "--format", "json").data["images"]
    assert len(images) == len(named) + 1  # two images of a chart share a repository's scalar
    changed = [image for image in images if image["status"] == "changed"]
    assert len(changed) == 19
    for image in changed:
        tag = "latest" if "PLACEHOLDER" in image["before"] else image["tag"]
        assert f":{tag}" in image["before"] or tag == "latest"
        digest = tiny.tags[f"team/{image['image']}", tag]
        assert image["after"] == f"{tiny.address}/team/{image['image']}:{tag}@{digest}"
    read = [use for path, text in texts(ws).items() for use in read_deployment(path, text).uses]
    assert [image["after"] for image in images] == [use.reference for use in by_settings(read)]


def by_settings(uses: list[ImageUse]) -> list[ImageUse]:
    """Return uses in the order of the files' names."""
    return sorted(uses, key=lambda use: use.file)


def test_images_of_others_and_what_others_decide_are_left(orch: Orch) -> None:
    ran = orch("deploy", "--format", "json")
    images = ran.data["images"]
    others = {image["before"] for image in images if image["status"] == "foreign"}
    assert others == {
        "busybox:1.36",
        "quay.io/prometheus/node-exporter:v1.8.1",
        "redis:7.4.1",
        "postgres:16",
    }
    left = {image["because"] for image in images if image["status"] == "left"}
    assert left == {
        "a variable decides what it names",
        "Compose builds it under this name",
        "a kustomization names the image",
    }
    assert "compose.yaml:14: " in ran.err
    assert all(image["before"] == image["after"] for image in images if not image["digest"])


def test_twice_is_once(orch: Orch, ws: Path) -> None:
    assert orch("deploy", "--check").code == 1
    assert orch("deploy").code == 0
    once = texts(ws)
    again = orch("deploy")
    assert (again.code, again.out, texts(ws)) == (0, "", once)
    assert orch("deploy", "--check").code == 0


def test_a_moved_tag_is_found_by_check_and_followed(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    orch("deploy")
    new = publish(tiny, "store", "1.4", "again")
    ran = orch("deploy", "deploy/workloads.yaml", "--check")
    assert ran.code == 1
    assert ran.out.startswith("deploy/workloads.yaml:33: ")
    assert ran.out.endswith(f"@{new}\n")
    assert new not in texts(ws)["deploy/workloads.yaml"]
    orch("deploy", "deploy/workloads.yaml")
    assert f"image:   {tiny.address}/team/store:1.4@{new}\n" in texts(ws)["deploy/workloads.yaml"]


def test_dry_run_shows_the_diff_that_deploy_makes(orch: Orch, ws: Path) -> None:
    before = texts(ws)
    shown = orch("deploy", "compose.yaml", "--dry-run")
    assert (shown.code, texts(ws)) == (0, before)
    orch("deploy", "compose.yaml")
    old, new = (text["compose.yaml"].splitlines(keepends=True) for text in (before, texts(ws)))
    diff = difflib.unified_diff(old, new, "a/compose.yaml", "b/compose.yaml")
    assert shown.out == "".join(diff)


def test_line_ends_missing_ends_modes_and_signatures_of_files_stay(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    text = f"\ufeffimages:\r\n- name: api   # ä\r\n  newName: {tiny.address}/team/api"
    file = ws / "kustomization.yaml"
    file.write_bytes(text.encode())
    file.chmod(0o755)
    assert orch("deploy", "kustomization.yaml").code == 0
    digest = tiny.tags["team/api", "latest"]
    assert file.read_bytes().decode() == f"{text}\r\n  newTag: latest\r\n  digest: {digest}"
    assert file.stat().st_mode & 0o777 == 0o755


def test_an_image_that_is_not_pushed_is_an_error_that_names_its_line(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    del tiny.tags["team/store", "1.4"]
    before = texts(ws)
    ran = orch("deploy")
    assert ran.code == 1
    assert f"error: deploy/workloads.yaml:33: {tiny.address}/team/store:1.4 is not in" in ran.err
    assert "hint: orch push store" in ran.err
    assert texts(ws) == before
    data = orch("deploy", "--dry-run", "--format", "json").data
    assert (data["ok"], data["written"], data["files"]) == (False, False, [])
    failed = [image for image in data["images"] if image["error"]]
    assert [image["status"] for image in failed] == ["failed"] * 3


def test_a_placeholder_that_names_no_image_is_an_error(orch: Orch, ws: Path) -> None:
    (ws / "values.yaml").write_text("a:\n  image: <registry>/<image>:<tag>\n")
    ran = orch("deploy", "values.yaml")
    assert ran.code == 1
    assert "values.yaml:2: <registry>/<image>:<tag> is a placeholder" in ran.err


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("image: <registry>/api:<tag>", "image: {}/api:latest@{}"),
        ("image: api", "image: {}/api:latest@{}"),
        ("image: {repository: api}", "image: {{tag: latest@{1}, repository: {0}/api}}"),
        ("image: {repository: api, tag: }", "image: {{repository: {}/api, tag: latest@{} }}"),
        (
            "image:\n  repository: api\n  digest:\n",
            "image:\n  repository: {}/api\n  tag: latest\n  digest: {}\n",
        ),
        (
            "image:\n  tag: ~\n  repository: 'api'",
            "image:\n  tag: latest@{1}\n  repository: '{0}/api'",
        ),
    ],
)
def test_what_is_open_is_filled(
    orch: Orch, ws: Path, tiny: TinyRegistry, before: str, after: str
) -> None:
    (ws / "values.yaml").write_text(before)
    assert orch("deploy", "values.yaml").code == 0
    digest = tiny.tags["team/api", "latest"]
    assert (ws / "values.yaml").read_text() == after.format(f"{tiny.address}/team", digest)
    assert orch("deploy", "values.yaml", "--check").code == 0


def test_another_tag_is_written_and_quoted_where_it_would_be_a_number(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    (ws / "kustomization.yaml").write_text("images:\n- name: api\n  newTag: main\n")
    assert orch("deploy", "kustomization.yaml", "--tag", "1.5").code == 0
    assert '  newTag: "1.5"\n' in (ws / "kustomization.yaml").read_text()
    assert tiny.tags["team/api", "1.5"] in (ws / "kustomization.yaml").read_text()


def test_images_that_share_a_scalar_and_differ_are_an_error(orch: Orch, ws: Path) -> None:
    image = "{}:\n  image:\n    repository: {}\n    tag: {}\n"
    text = image.format("a", "api", "&tag '1.4'") + image.format("b", "web", "*tag")
    (ws / "values.yaml").write_text(text)
    ran = orch("deploy", "values.yaml")
    assert ran.code == 2
    assert "values.yaml:4: images share this text" in ran.err
    assert (ws / "values.yaml").read_text() == text


def test_what_images_share_is_edited_once(orch: Orch, ws: Path, tiny: TinyRegistry) -> None:
    text = (
        "a:\n  image: &a\n    repository: {}/api\n    tag: {}\nb:\n  image: {{<<: *a, tag: {}}}\n"
    )
    (ws / "values.yaml").write_text(text.format("PLACEHOLDER", "latest", '"1.5"'))
    assert orch("deploy", "values.yaml").code == 0
    latest, other = (f"{tag}@{tiny.tags['team/api', tag]}" for tag in ("latest", "1.5"))
    after = text.format(f"{tiny.address}/team", latest, f'"{other}"')
    assert (ws / "values.yaml").read_text() == after


def report_of(tiny: TinyRegistry, status: str = "moved", **tags: list[str]) -> dict[str, Any]:
    images = [
        {
            "name": name,
            "reference": f"{tiny.address}/team/{name}@{tiny.tags[f'team/{name}', given[0]]}",
            "tags": [{"tag": tag, "status": status} for tag in given],
        }
        for name, given in tags.items()
    ]
    return {"schema": "orch.push/1", "dry_run": False, "images": images}


def test_the_report_of_a_push_is_asked_instead_of_the_registry(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    push = report_of(tiny, api=["1.5", "latest"])
    (ws / "push.json").write_text(json.dumps({"schema": "orch.build/1", "push": push}))
    (ws / "values.yaml").write_text("image: PLACEHOLDER/api:1.4\n")
    tiny.asked.clear()
    ran = orch("deploy", "values.yaml", "--pushed", "push.json")
    assert (ran.code, tiny.asked) == (0, [])
    digest = tiny.tags["team/api", "1.5"]
    assert (ws / "values.yaml").read_text() == f"image: {tiny.address}/team/api:1.5@{digest}\n"


def test_a_report_that_lacks_an_image_or_a_tag_is_an_error_with_the_line(
    orch: Orch, ws: Path, tiny: TinyRegistry
) -> None:
    (ws / "push.json").write_text(json.dumps(report_of(tiny, api=["1.5"])))
    (ws / "values.yaml").write_text("a: {image: api}\nb: {image: web}\n")
    report = ("--pushed", str(ws / "push.json"))
    assert "values.yaml:2: " in orch("deploy", "values.yaml", *report).err
    lacks = orch("deploy", "values.yaml", *report, "--tag", "2")
    assert "has no tag 2 of api" in lacks.err
    (ws / "push.json").write_text(json.dumps(report_of(tiny, "untouched", api=["1.5"])))
    assert "has no tag at all of api" in orch("deploy", "values.yaml", *report).err
    (ws / "push.json").write_text("[]")
    assert orch("deploy", "values.yaml", *report).code == 2


def test_without_files_the_settings_must_name_some(orch: Orch, ws: Path) -> None:
    settings = ws / "orch.toml"
    settings.write_text(settings.read_text().replace("deployments = ", "#"))
    ran = orch("deploy")
    assert ran.code == 2
    assert "deployments = " in ran.err


def test_links_and_what_is_no_text_are_not_edited(orch: Orch, ws: Path) -> None:
    (ws / "link.yaml").symlink_to("compose.yaml")
    (ws / "binary.yaml").write_bytes(b"image: \xff")
    for name in ("link.yaml", "binary.yaml", "missing.yaml", "deploy"):
        ran = orch("deploy", name)
        assert ran.code == 2
        assert name in ran.err
