"""`[ecr]` of the settings is read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.model import EcrSettings, ScanException
from orchestrator.settings import read_settings


def read(folder: Path, text: str) -> EcrSettings:
    (folder / "orch.toml").write_text(text)
    return read_settings(folder).ecr


def test_without_a_table_everything_has_its_default(tmp_path: Path) -> None:
    assert read(tmp_path, "") == EcrSettings()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    ecr = read(
        tmp_path,
        '[ecr]\naccount = "123456789012"\nregion = "eu-west-1"\nendpoint-url = "http://[::1]:5000"\n'
        'profile = "push"\nrole = "arn:aws:iam::{account}:role/ci/push"\n'
        'create-repositories = false\nscan-on-push = false\nencryption = "alias/images"\n'
        'immutable-tags = true\nkeep-builds = 7\nkeep-tags = ["live", "v*"]\nseverity = "high"\n'
        'scan-timeout = "90s"\ntags = {team = "voice"}\n'
        '[[ecr.exceptions]]\nfinding = "CVE-2026-1"\nuntil = "2027-01-31"\nreason = "no fix yet"\n'
        'images = ["python-*"]\n',
    )
    assert ecr == EcrSettings(
        account="123456789012",
        region="eu-west-1",
        endpoint_url="http://[::1]:5000",
        profile="push",
        role="arn:aws:iam::{account}:role/ci/push",
        create_repositories=False,
        scan_on_push=False,
        encryption="alias/images",
        immutable_tags=True,
        keep_builds=7,
        keep_tags=("live", "v*"),
        tags={"team": "voice"},
        severity="high",
        scan_timeout_s=90.0,
        exceptions=(ScanException("CVE-2026-1", "2027-01-31", "no fix yet", ("python-*",)),),
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('account = "12"', "twelve digits"),
        ('endpoint-url = "https://user:secret@host"', "without a user"),
        ('role = "push"', "the ARN of a role"),
        ('encryption = ""', "encryption is empty"),
        ("keep-builds = -1", "must not be negative"),
        ('keep-tags = ["a b"]', "no pattern"),
        ('keep-tags = ["*a*b*c*d*e"]', "no pattern"),
        ('keep-tags = ["*"]', "keep everything"),
        ('keep-tags = ["fp-*"]', "keep everything"),
        ('severity = "awful"', "severity must be one of low, medium, high, critical, none"),
        ('scan-timeout = "soon"', "must be a duration"),
        ("scan = true", "unknown key"),
        ("tags = {cost = 1.5}", "must be a string"),
    ],
)
def test_what_cannot_be_is_an_error_with_its_line(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(WorkspaceError, match=problem) as raised:
        read(tmp_path, f"[ecr]\n{line}\n")
    assert raised.value.line == 2
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ('until = "2027-01-31", reason = "r"', "needs a finding"),
        ('finding = "CVE-1", reason = "r"', "CVE-1 needs until"),
        ('finding = "CVE-1", until = "2027-13-31", reason = "r"', "CVE-1 needs until"),
        ('finding = "CVE-1", until = "2027-01-31"', "CVE-1 needs a reason"),
    ],
)
def test_an_exception_has_a_finding_a_day_and_a_reason(
    tmp_path: Path, keys: str, problem: str
) -> None:
    with pytest.raises(WorkspaceError, match=problem):
        read(tmp_path, f"[ecr]\nexceptions = [{{{keys}}}]\n")
