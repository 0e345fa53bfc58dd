"""Which registries are spoken to by ECR's own interface, and with what of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.app import registries
from orchestrator.app.opened import open_workspace
from orchestrator.app.registries import reading
from orchestrator.model import EcrSettings
from orchestrator.publish.ecr.address import EcrAddress
from tests.helpers import write_tree

OWN = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
OTHER = "210987654321.dkr.ecr.us-east-2.amazonaws.com"
Asked = list[tuple[EcrAddress, EcrSettings]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Return what interfaces of ECR are made for."""
    made: Asked = []

    def make(address: EcrAddress, settings: EcrSettings) -> object:
        made.append((address, settings))
        return object()

    monkeypatch.setattr(registries, "BotoEcr", make)
    return made


def read_from(root: Path, settings: str, *hosts: str) -> None:
    opened = open_workspace(write_tree(root, {"orch.toml": settings}))
    for host in hosts:
        with reading(opened, host):
            pass


def test_an_external_image_s_registry_has_its_own_account_and_region(
    tmp_path: Path, asked: Asked
) -> None:
    settings = f'registry = "{OWN}/team"\n[ecr]\nregion = "eu-west-1"\nprofile = "ci"\n'
    read_from(tmp_path, settings, OTHER, OWN, "registry.example.com", "docker.io")
    (other, said), (own, own_said) = asked
    assert (other.account, other.region) == ("210987654321", "us-east-2")
    assert (said.region, said.account, said.profile) == ("", "", "ci")
    assert (own.region, own_said.region) == ("eu-west-1", "eu-west-1")


def test_a_registry_that_the_settings_call_ecr_s_makes_no_others_so(
    tmp_path: Path, asked: Asked
) -> None:
    settings = 'registry = "127.0.0.1:5000/team"\n[ecr]\naccount = "123456789012"\n'
    settings += 'region = "eu-west-1"\n'
    read_from(tmp_path, settings, "docker.io", "127.0.0.1:5001", "127.0.0.1:5000")
    ((address, _),) = asked
    assert address.account == "123456789012"
