"""Images spread over jobs: each once, after its parents, within the host's bounds, evenly."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.pipelines.batches import WORTH_S, Bounds, Work, spread

GITHUB = 256


@st.composite
def graphs(draw: st.DrawFn) -> list[Work]:
    """Draw images in topological order, with parents among those before them."""
    works: list[Work] = []
    for number in range(draw(st.integers(0, 20))):
        parents = (
            st.lists(st.sampled_from(works), max_size=3, unique=True) if works else st.just([])
        )
        names = tuple(work.image for work in draw(parents))
        took = draw(st.sampled_from((0.0, 0.5, 5.0, 60.0, 61.0, 600.0)))
        works.append(Work(f"i{number}", names, took))
    return works


bounds = st.builds(Bounds, st.integers(1, 30), st.integers(21, GITHUB), st.integers(5, 60))


@settings(max_examples=50)
@given(graphs(), bounds)
def test_every_image_is_in_one_batch_after_those_of_its_parents(
    works: list[Work], allowed: Bounds
) -> None:
    batches = spread(works, allowed)
    assert Counter(image for batch in batches for image in batch.images) == Counter(
        work.image for work in works
    )
    home = {image: batch for batch in batches for image in batch.images}
    for work in works:
        for parent in work.parents:
            own, theirs = home[work.image], home[parent]
            if own is theirs:
                assert own.images.index(parent) < own.images.index(work.image)
            else:
                assert theirs.name in own.needs
                assert theirs.tier < own.tier


@settings(max_examples=50)
@given(graphs(), bounds)
def test_batches_keep_within_what_a_host_allows(works: list[Work], allowed: Bounds) -> None:
    batches = spread(works, allowed)
    assert batches == spread(list(works), allowed), "equal input gives equal output"
    assert len(batches) <= allowed.total
    assert max(Counter(batch.tier for batch in batches).values(), default=0) <= allowed.jobs
    if allowed.jobs == 1:
        assert len(batches) <= 1


@settings(max_examples=50)
@given(st.lists(st.floats(0.5, 1000), min_size=1, max_size=60), st.integers(2, 20))
def test_the_last_job_ends_within_four_thirds_of_the_best_or_a_minute(
    durations: list[float], jobs: int
) -> None:
    works = [Work(f"i{number}", (), took) for number, took in enumerate(durations)]
    batches = spread(works, Bounds(jobs, GITHUB, GITHUB))
    best = max(sum(durations) / jobs, *durations, *_pairs(durations, jobs))
    longest = max(batch.duration_s for batch in batches)
    assert longest <= max(WORTH_S, best * 4 / 3) + 0.01


def _pairs(durations: list[float], jobs: int) -> list[float]:
    """Return a bound of the best: of the longest images two share a job where jobs are fewer."""
    longest = sorted(durations, reverse=True)
    return [longest[jobs - 1] + longest[jobs]] if len(longest) > jobs else []
