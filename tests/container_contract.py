"""What every container of a trial does, a played one and a real: inherited by a class for each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.engines.docker.trial import Confined
from orchestrator.errors import OrchError
from orchestrator.verify.runtime import Container, Runtime

SCRIPT = (
    "trap 'exit 7' TERM; echo hello; echo x > /www/x; while :; do sleep 1 & wait $!; done; exit 1"
)
_PAUSES = 300


def until(container: Container, holds: Callable[[], bool]) -> None:
    """Wait for something to hold."""
    for _ in range(_PAUSES):
        if holds():
            return
        container.pause(0.1)
    raise AssertionError("it never came to hold")


class ContainerContract:
    """Needs fixtures `runtime`, and `confined`: an image that does as `SCRIPT`."""

    def test_one_that_is_made_does_not_run(self, runtime: Runtime, confined: Confined) -> None:
        with runtime.container(confined) as container:
            assert not container.state().is_running

    def test_one_that_is_started_runs_until_its_signal(
        self, runtime: Runtime, confined: Confined
    ) -> None:
        with runtime.container(confined) as container:
            container.start()
            assert container.state().is_running
            until(container, lambda: "hello" in container.log())
            container.signal("SIGTERM")
            until(container, lambda: not container.state().is_running)
            assert container.state().exit_code == 7

    def test_what_it_writes_is_told_from_what_was_there(
        self, runtime: Runtime, confined: Confined
    ) -> None:
        with runtime.container(confined) as container:
            container.start()
            until(container, lambda: ("/www/x", False) in container.written())
            assert ("/www", True) in container.written()

    def test_nothing_runs_in_one_that_has_ended(self, runtime: Runtime, confined: Confined) -> None:
        with runtime.container(confined) as container:
            container.start()
            until(container, lambda: "hello" in container.log())
            container.signal("SIGTERM")
            until(container, lambda: not container.state().is_running)
            assert container.run(["echo", "hello"])[0] == 127
            with pytest.raises(OrchError):
                container.signal("SIGTERM")
