"""Which images are whole here, and which in a registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.elsewhere import Elsewhere
from orchestrator.oci.image import BuiltImage
from orchestrator.oci.layout import Layout
from tests.images import add_image

PLACE = "registry.example.com/team/web"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def elsewhere(tmp_path: Path, layout: Layout) -> Elsewhere:
    return Elsewhere(tmp_path / "elsewhere", layout)


@pytest.fixture
def image(layout: Layout) -> BuiltImage:
    """An image whose layer is not in the layout."""
    made = add_image(layout)
    layout.blob_path(made.layers[0].digest).unlink()
    return made


def test_a_layer_that_nobody_is_known_to_have_makes_an_image_missing(
    elsewhere: Elsewhere, image: BuiltImage
) -> None:
    assert not elsewhere.covers(image.digest)
    assert elsewhere.lacking(image.digest) == {}


def test_a_layer_that_a_registry_has_leaves_the_image_usable(
    elsewhere: Elsewhere, image: BuiltImage
) -> None:
    layer = image.layers[0]
    elsewhere.note([layer.digest], PLACE)
    assert elsewhere.covers(image.digest)
    assert elsewhere.lacking(image.digest) == {layer.digest: layer.size_bytes}
    assert elsewhere.place(layer.digest) == PLACE


def test_what_is_forgotten_makes_an_image_missing(elsewhere: Elsewhere, image: BuiltImage) -> None:
    elsewhere.note([image.layers[0].digest], PLACE)
    elsewhere.forget([image.layers[0].digest])
    assert not elsewhere.covers(image.digest)


@pytest.mark.parametrize("part", ["config", "manifest"])
def test_an_image_without_config_or_manifest_is_missing(
    elsewhere: Elsewhere, layout: Layout, image: BuiltImage, part: str
) -> None:
    elsewhere.note([image.layers[0].digest], PLACE)
    layout.blob_path(getattr(image, part).digest).unlink()
    assert not elsewhere.covers(image.digest)


def test_a_layer_that_is_here_is_not_noted(
    elsewhere: Elsewhere, layout: Layout, image: BuiltImage
) -> None:
    whole = add_image(layout, b"another layer")
    elsewhere.note([whole.layers[0].digest], PLACE)
    assert elsewhere.place(whole.layers[0].digest) == ""
    assert elsewhere.covers(whole.digest)
    assert not elsewhere.covers(image.digest)
