"""What looks like a secret is found, and never repeated whole."""

from __future__ import annotations

import pytest

from orchestrator.checks.secrets import find_secrets, masked, secret_of_variable

AWS = "AKIA" + "IOSFODNN7EXAMPLE"
KEY = "-----BEGIN RSA PRIVATE KEY" + "-----\nMIIEpAIBAAKCAQEA7bq9\n"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"key = '{AWS}'", "AWS access key"),
        (KEY, "private key"),
        ("-----BEGIN PRIVATE KEY" + "-----\nMIIEpAIBAAKCAQEA7bq9\n", "private key"),
        ("ghp_" + "a1B2" * 9, "GitHub token"),
        ("xoxb-" + "1234567890-" * 3, "Slack token"),
        ("AIza" + "b" * 35, "Google API key"),
        ("postgresql://app:" + "hunter22" + "@db:5432/x", "password in a URL"),
    ],
)
def test_secrets_are_found_by_their_form(text: str, kind: str) -> None:
    assert [found.kind for found in find_secrets(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "if line.startswith('-----BEGIN RSA PRIVATE KEY-----'):",
        "postgresql://app:${PASSWORD}@db:5432/x",
        "https://user:<password>@host/",
        "http://127.0.0.1:8000/health",
        "AKIA",
        "sk-learn",
    ],
)
def test_what_only_resembles_a_secret_is_none(text: str) -> None:
    assert not list(find_secrets(text))


def test_a_text_is_shown_without_its_secrets() -> None:
    assert masked(f"log: {AWS} was refused") == "log: AKIA**** was refused"


def test_a_secret_is_not_repeated_and_its_line_is_told() -> None:
    (found,) = find_secrets(f"a\nb\n{AWS}\n")
    assert (found.line, found.masked) == (3, "AKIA****")


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "API_KEY", "github.token", "AWS_SECRET_ACCESS_KEY"]
)
def test_a_variable_is_secret_by_its_name(name: str) -> None:
    found = secret_of_variable(name, "correcthorse")
    assert found is not None
    assert "correct" not in found.masked


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", ""),
        ("DB_PASSWORD", "${DB_PASSWORD}"),
        ("DB_PASSWORD", "changeme"),
        ("TOKEN_FILE", "/run/secrets/token"),
        ("API_TOKEN", "/run/secrets/token"),
        ("MAX_TOKEN", "4096"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("KEYBOARD", "us"),
    ],
)
def test_a_variable_with_a_path_or_a_placeholder_is_no_secret(name: str, value: str) -> None:
    assert secret_of_variable(name, value) is None
