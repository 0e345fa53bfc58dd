"""`orch push` to an ECR: moto as its interface, a registry as its data, both over HTTP."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.buckets import KEY_ID, SECRET, use_credentials
from tests.buckets import TOKEN as SESSION_TOKEN
from tests.helpers import ROOT, write_lock, write_tree, write_workspace
from tests.real.docker_engine import DockerEngine
from tests.real.ecr import ACCOUNT, REGION, TOKEN, EcrSite
from tests.real.reference import (
    UnavailableImageError,
    build_image,
    copy_reference,
    skip_unavailable,
)
from tests.verbs import Orch, Ran, forget_credentials, run_orch

NAMES = ("a", "s", "t")
WITHIN_S = 60
FILES = "[[files]]\nfrom = 'src'\nto = '/app'\n"
PUBLIC_FINDING = {
    "severity": "CRITICAL",
    "packageVulnerabilityDetails": {
        "vulnerabilityId": "CVE-2026-7",
        "sourceUrl": "https://example.com/CVE-2026-7",
        "vulnerablePackages": [
            {"name": "libssl3", "version": "3.0.1", "fixedInVersion": "3.0.2-1"},
        ],
    },
}
CRITICAL = {"enhancedFindings": [PUBLIC_FINDING], "findingSeverityCounts": {"CRITICAL": 1}}

Settings = Callable[[str], None]


@pytest.fixture
def site(moto: str, registry: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[EcrSite]:
    use_credentials(monkeypatch)
    with EcrSite(moto, registry).running() as site:
        yield site


@pytest.fixture
def prefix() -> str:
    """A place in the registry that nobody used before."""
    return f"ecr/{uuid.uuid4().hex}"


@pytest.fixture
def ws(tmp_path: Path, orch_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    forget_credentials(monkeypatch, tmp_path / "home")
    recipes = {
        "base/a": f'from = "{ROOT}"\n{FILES}',
        "services/s": f'from = "a"\n{FILES}',
        "services/t": f'from = "a"\n{FILES}',
    }
    root = write_workspace(tmp_path / "ws", recipes)
    for folder in recipes:
        write_tree(root, {f"{folder}/src/x.txt": folder})
    write_lock(root)
    return root


@pytest.fixture
def settings(ws: Path, site: EcrSite, prefix: str) -> Settings:
    """Return a function that gives `[ecr]` more keys."""
    plain = (ws / "orch.toml").read_text()

    def write(more: str = "") -> None:
        (ws / "orch.toml").write_text(
            f'registry = "{site.address}/{prefix}"\n{plain}\n[ecr]\naccount = "{ACCOUNT}"\n'
            f'region = "{REGION}"\nendpoint-url = "{site.endpoint}"\n{more}\n'
        )

    write()
    return write


@pytest.fixture
def orch(ws: Path, settings: Settings, capsys: pytest.CaptureFixture[str]) -> Orch:
    """Return `orch -C WORKSPACE ...` as a function; everything is built."""

    def run(*arguments: str, code: int = 0) -> Ran:
        ran = run_orch(capsys, "-C", ws, *arguments)
        assert ran.code == code, ran.err
        return ran

    run("build")
    return run


def images(ran: Ran) -> dict[str, dict[str, Any]]:
    return {image["name"]: image for image in ran.data["images"]}


def tags(site: EcrSite, name: str) -> set[str]:
    listed = site.client.list_images(repositoryName=name)["imageIds"]
    return {item["imageTag"] for item in listed if "imageTag" in item}


def test_repositories_are_created_as_the_settings_say(
    orch: Orch, settings: Settings, site: EcrSite, prefix: str
) -> None:
    settings(
        'immutable-tags = true\nkeep-tags = ["live", "v*"]\nencryption = "KMS"\n'
        'keep-builds = 5\ntags = {team = "voice"}'
    )
    ran = orch("push", "--format", "json")
    assert {image["status"] for image in images(ran).values()} == {"pushed"}
    client = site.client
    for name in NAMES:
        (made,) = client.describe_repositories(repositoryNames=[f"{prefix}/{name}"])["repositories"]
        assert made["imageScanningConfiguration"]["scanOnPush"] is True
        assert made["encryptionConfiguration"]["encryptionType"] == "KMS"
        assert made["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
        movable = {item["filter"] for item in made["imageTagMutabilityExclusionFilters"]}
        assert movable == {"latest", "live"}
        listed = client.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"]
        assert listed == [{"Key": "team", "Value": "voice"}]
        policy = client.get_lifecycle_policy(repositoryName=f"{prefix}/{name}")
        rules = json.loads(policy["lifecyclePolicyText"])["rules"]
        kept = [rule["selection"].get("tagPatternList") for rule in rules]
        assert kept == [["latest"], ["live"], ["v*"], ["fp-*"], ["pk-*"], None]


def test_what_was_pushed_is_there_with_its_details(orch: Orch, site: EcrSite, prefix: str) -> None:
    pushed = images(orch("push", "--format", "json"))
    for name, image in pushed.items():
        found = site.ecr().find(f"{prefix}/{name}", ["latest"])
        assert found.digests == {"latest": image["digest"]}
        assert set(image["details"]["tags"]) == tags(site, f"{prefix}/{name}")
        assert "latest" in image["details"]["tags"]
        assert image["scan"]["status"] == "complete"
        assert image["scan"]["counts"] == {"high": 1}, "below the threshold"


def test_others_read_the_digest_that_was_reported(
    orch: Orch, require_tool: Callable[[str], Path]
) -> None:
    skopeo = require_tool("skopeo")
    for image in images(orch("push", "--format", "json")).values():
        command = [str(skopeo), "inspect", "--tls-verify=false", "--creds", f"AWS:{TOKEN}"]
        done = subprocess.run(
            [*command, f"docker://{image['repository']}:latest"], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["Digest"] == image["digest"]


def test_pushing_again_sends_nothing(orch: Orch, site: EcrSite) -> None:
    orch("push")
    site.asked.clear()
    ran = orch("push", "--format", "json")
    assert {image["status"] for image in images(ran).values()} == {"unchanged"}
    assert {line.partition(" ")[0] for line in site.asked} <= {"HEAD"}


def test_a_critical_finding_keeps_all_images_from_being_tagged(
    orch: Orch, site: EcrSite, prefix: str, ws: Path
) -> None:
    site.plan_findings(f"{prefix}/s", CRITICAL)
    report = ws.parent / "report.json"
    ran = orch("push", "--report", str(report), code=1)
    assert "CVE-2026-7 (critical) in libssl3 3.0.1, fixed in 3.0.2-1" in ran.err
    assert "[[ecr.exceptions]]" in ran.err
    found = {image["name"]: image for image in json.loads(report.read_text())["images"]}
    (failing,) = found["s"]["scan"]["failing"]
    assert failing == {
        "name": "CVE-2026-7",
        "severity": "critical",
        "package": "libssl3",
        "installed": "3.0.1",
        "fixed": "3.0.2-1",
        "uri": "https://example.com/CVE-2026-7",
    }
    assert {name: image["status"] for name, image in found.items()} == {
        "a": "cancelled",
        "s": "failed",
        "t": "cancelled",
    }
    assert not any(tags(site, f"{prefix}/{name}") for name in NAMES)


def test_a_dated_exception_lets_it_pass_and_is_said(
    orch: Orch, settings: Settings, site: EcrSite, prefix: str
) -> None:
    site.plan_findings(f"{prefix}/s", CRITICAL)
    ended = 'finding = "CVE-2026-7"\nuntil = "2020-01-01"\nreason = "no fix yet"'
    settings(f"[[ecr.exceptions]]\n{ended}")
    assert "its exception ended on 2020-01-01" in orch("push", code=1).err
    settings(f"[[ecr.exceptions]]\n{ended.replace('2020', '2999')}")
    ran = orch("push", "--format", "json")
    assert "put up with until 2999-01-01: no fix yet" in ran.err
    (excepted,) = images(ran)["s"]["scan"]["excepted"]
    assert (excepted["name"], excepted["reason"]) == ("CVE-2026-7", "no fix yet")
    assert "latest" in tags(site, f"{prefix}/s")


def test_a_recipe_says_what_counts_for_its_image(
    orch: Orch, ws: Path, site: EcrSite, prefix: str
) -> None:
    with (ws / "services/s/image.toml").open("a") as file:
        file.write('[gates]\nseverity = "high"\n')
    ran = orch("push", code=1)
    assert "CVE-9999-9999 (high) in moto_fake 9.9.9, no fixed version told" in ran.err
    assert "failed s" in ran.err
    assert "cancelled t" in ran.err


def test_a_repository_that_is_there_is_left_as_it_is(
    orch: Orch, site: EcrSite, prefix: str
) -> None:
    for name in NAMES:
        site.client.create_repository(repositoryName=f"{prefix}/{name}")
    ran = orch("push", "--format", "json")
    assert f"repository {prefix}/a is left as it is: scan-on-push is false, not true" in ran.err
    assert "no lifecycle policy" in ran.err
    assert images(ran)["a"]["scan"]["status"] == "complete", "a scan was asked for"
    (found,) = site.ecr().describe([f"{prefix}/a"]).values()
    assert not found.scan_on_push


def test_without_leave_to_create_the_missing_repository_is_named(
    orch: Orch, settings: Settings, prefix: str
) -> None:
    settings("create-repositories = false")
    ran = orch("push", code=1)
    assert f"{prefix}/a does not exist" in ran.err
    assert "create-repositories = true" in ran.err


def test_a_dry_run_creates_nothing(orch: Orch, site: EcrSite, prefix: str) -> None:
    ran = orch("push", "--dry-run")
    assert f"repository {prefix}/a would be created" in ran.err
    assert site.ecr().describe([f"{prefix}/{name}" for name in NAMES]) == {}


def test_an_immutable_tag_that_names_another_image_is_an_error(
    orch: Orch, ws: Path, settings: Settings, site: EcrSite, prefix: str
) -> None:
    settings("immutable-tags = true")
    orch("push", "--tag", "v1")
    write_tree(ws, {"services/s/src/x.txt": "changed"})
    orch("build")
    ran = orch("push", "--tag", "v1", code=1)
    assert f"{prefix}/s:v1 names sha256:" in ran.err
    assert "may not be moved" in ran.err
    orch("push", "--tag", "latest")


def test_promoting_moves_a_tag(orch: Orch, site: EcrSite, prefix: str) -> None:
    pushed = images(orch("push", "--format", "json"))
    orch("push", "--promote", "latest", "live")
    for name, image in pushed.items():
        found = site.ecr().find(f"{prefix}/{name}", ["live"])
        assert found.digests == {"live": image["digest"]}


def test_a_role_is_assumed(orch: Orch, settings: Settings, site: EcrSite, prefix: str) -> None:
    settings('role = "arn:aws:iam::{account}:role/push"')
    assert {image["status"] for image in images(orch("push", "--format", "json")).values()} == {
        "pushed"
    }


def test_a_profile_that_is_not_there_is_an_error(orch: Orch, settings: Settings) -> None:
    settings('profile = "nobody"')
    ran = orch("push", code=1)
    assert "there is no such AWS profile" in ran.err
    assert "profile under [ecr]" in ran.err


def test_docker_pulls_and_runs_an_image_of_the_reference_tree(
    docker26: DockerEngine, site: EcrSite, prefix: str, tmp_path: Path
) -> None:
    try:
        build_image("webhook")
    except UnavailableImageError as unavailable:
        skip_unavailable(unavailable)
    tree = copy_reference(tmp_path / "tree")
    settings = tree / "orch.toml"
    settings.write_text(
        f'registry = "{site.address}/{prefix}"\n{settings.read_text()}\n[ecr]\n'
        f'account = "{ACCOUNT}"\nregion = "{REGION}"\nendpoint-url = "{site.endpoint}"\n'
    )
    code, said = run_verbosely(tree, "build", "--push", "webhook")
    assert code == 0, said
    found = site.ecr().find(f"{prefix}/webhook", ["latest"])
    docker = docker26.client()
    try:
        known = {"username": "AWS", "password": TOKEN}
        place = f"{site.address}/{prefix}/webhook"
        pulled = docker.images.pull(place, tag="latest", auth_config=known)
        assert f"{place}@{found.digests['latest']}" in pulled.attrs["RepoDigests"]
        command = ["-c", "import flask; print('it runs')"]
        ran = docker.containers.run(pulled, command, entrypoint="python", remove=True)
        assert ran.strip() == b"it runs"
        docker.images.remove(str(pulled.id), force=True)
    finally:
        docker.close()


def run_verbosely(ws: Path, *arguments: str) -> tuple[int, str]:
    """Run `orch -v` as a process of its own; return how it ended and all that it said."""
    command = [sys.executable, "-m", "orchestrator", "-v", "-C", str(ws), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN_S)
    return done.returncode, done.stdout + done.stderr


def test_credentials_are_in_no_output_and_in_no_file(
    orch: Orch, ws: Path, settings: Settings, site: EcrSite
) -> None:
    settings('role = "arn:aws:iam::{account}:role/push"')
    reports = [str(ws.parent / name) for name in ("pushed.json", "refused.json")]
    code, pushed = run_verbosely(ws, "push", "--report", reports[0])
    assert code == 0, pushed
    assert "registry.asked" in pushed, "the log is on"
    assert "ecr.authorised" in pushed
    site.token = "another"
    code, refused = run_verbosely(ws, "push", "--tag", "v2", "--report", reports[1])
    assert code == 1
    assert "is refused" in refused
    kept = [path.read_bytes() for path in (ws / ".orch").rglob("*") if path.is_file()]
    kept += [Path(report).read_bytes() for report in reports if Path(report).exists()]
    everything = (pushed + refused).encode() + b"".join(kept)
    packed = base64.b64encode(f"AWS:{TOKEN}".encode()).decode()
    for planted in (TOKEN, packed, KEY_ID, SECRET, SESSION_TOKEN):
        assert planted.encode() not in everything
