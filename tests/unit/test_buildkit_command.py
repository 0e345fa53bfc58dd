"""The command that builds an image."""

from __future__ import annotations

from pathlib import Path

from orchestrator.engines.buildkit.command import BuildCommand, environment_of
from orchestrator.engines.buildkit.staging import Staged
from orchestrator.model import BuildKitOptions, BuildKitSettings, ImageSettings, Secret
from tests.helpers import AMD64

PLACE = Staged(Path("/s/context"), Path("/s/Dockerfile"))


def words(table: ImageSettings, place: Staged = PLACE, output: str = "") -> list[str]:
    contexts = {"python-base:1.2": "docker-image://orch.local/python-base:abc"}
    command = BuildCommand(table, AMD64, place, "default", contexts, Path("/ws"), output)
    return command.words(["docker", "buildx"], Path("/m.json"))


def test_a_build_names_its_builder_its_platform_and_its_siblings() -> None:
    assert words(ImageSettings()) == [
        "docker",
        "buildx",
        "build",
        "--progress=rawjson",
        "--builder=default",
        "--metadata-file=/m.json",
        "--file=/s/Dockerfile",
        "--platform=linux/amd64",
        "--build-context=python-base:1.2=docker-image://orch.local/python-base:abc",
        "/s/context",
    ]


def test_each_option_is_a_word_of_its_own() -> None:
    options = BuildKitOptions(
        ssh=("default",),
        network="none",
        cache_from=("type=local,src=c",),
        cache_to=("type=inline",),
    )
    table = ImageSettings(target="app", build_args={"A": "b c"}, options=options)
    given = words(table, output="type=oci")
    wanted = ["--target=app", "--build-arg=A=b c", "--network=none", "--ssh=default"]
    wanted += ["--cache-from=type=local,src=c", "--cache-to=type=inline", "--output=type=oci"]
    assert [word for word in given if word in wanted] == wanted


def test_secrets_are_named_and_never_given() -> None:
    files = ("keys/b", "/etc/c", '/a,"b')
    secrets = (Secret("a", env="TOKEN"), *(Secret(file[-1], file=file) for file in files))
    given = words(ImageSettings(options=BuildKitOptions(secrets=secrets)))
    assert [word for word in given if word.startswith("--secret")] == [
        "--secret=id=a,env=TOKEN",
        "--secret=id=b,src=/ws/keys/b",
        "--secret=id=c,src=/etc/c",
        '--secret=id=b,"src=/a,""b"',
    ]


def test_folders_that_are_named_contexts_are_given_as_they_are_staged() -> None:
    place = Staged(Path("/s/context"), Path("/s/Dockerfile"), {"common": Path("/s/named/common")})
    assert "--build-context=common=/s/named/common" in words(ImageSettings(), place)


def test_what_of_the_environment_would_reach_the_image_is_left_out() -> None:
    environment = environment_of(
        {"PATH": "/bin", "TOKEN": "t", "SOURCE_DATE_EPOCH": "1", "BUILDX_BUILDER": "mine"}
    )
    ours = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDX_GIT_INFO": "0"}
    assert environment == {"PATH": "/bin", "TOKEN": "t", **ours}


def test_an_image_s_own_options_go_before_those_for_all() -> None:
    below = BuildKitSettings(
        build_args={"A": "1", "B": "1"},
        options=BuildKitOptions(
            secrets=(Secret("x", env="X"), Secret("y", env="Y")),
            network="none",
            cache_from=("one",),
            cache_to=("one",),
        ),
    )
    own = BuildKitOptions(
        secrets=(Secret("x", env="MINE"),), network="host", cache_from=("two",), cache_to=("two",)
    )
    table = below.complete(ImageSettings(build_args={"B": "2"}, options=own))
    assert table.build_args == {"A": "1", "B": "2"}
    assert table.options.secrets == (Secret("x", env="MINE"), Secret("y", env="Y"))
    assert (table.options.network, table.options.cache_to) == ("host", ("two",))
    assert table.options.cache_from == ("one", "two")
