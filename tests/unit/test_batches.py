"""How many machines images are worth."""

from __future__ import annotations

import pytest

from orchestrator.pipelines.batches import Bounds, Work, spread


def works(*durations: float) -> list[Work]:
    return [Work(f"i{number}", (), took) for number, took in enumerate(durations)]


def images(jobs: int, *durations: float) -> list[tuple[str, ...]]:
    return [batch.images for batch in spread(works(*durations), Bounds(jobs, 256, 256))]


def test_the_longest_is_alone_and_the_rest_together_are_no_longer() -> None:
    assert images(9, 100, 600, 200, 300) == [("i1",), ("i0", "i2", "i3")]


def test_what_is_done_in_a_minute_is_one_job() -> None:
    assert images(9, *[1.0] * 50) == [tuple(f"i{number}" for number in range(50))]


def test_what_was_never_built_counts_as_the_usual_one() -> None:
    batches = spread(works(600, 100, 100, 0), Bounds(4, 256, 256))
    assert [batch.duration_s for batch in batches] == [600, 300]


def test_a_tier_that_nobody_waits_for_begins_at_once() -> None:
    found = spread([Work("a"), Work("b", ("a",)), Work("lone")], Bounds(4, 256, 256))
    assert {image: batch.tier for batch in found for image in batch.images} == {
        "a": 0,
        "lone": 0,
        "b": 1,
    }


@pytest.mark.parametrize("tiers", [1, 2, 5])
def test_a_thousand_images_are_no_more_than_256_jobs_in_all_tiers_together(tiers: int) -> None:
    many = [
        Work(f"{tier}.{n}", (f"{tier - 1}.{n}",) if tier else (), 100)
        for tier in range(tiers)
        for n in range(1000)
    ]
    batches = spread(many, Bounds(256, 256, 256))
    assert 200 < len(batches) <= 256


def test_no_job_waits_for_more_jobs_than_gitlab_allows() -> None:
    roots = [Work(f"r{number}", (), 100) for number in range(120)]
    leaf = Work("leaf", tuple(work.image for work in roots), 100)
    batches = spread([*roots, leaf], Bounds(100, 256, 49))
    assert 24 < len(batches[-1].needs) <= 49
