"""Whatever a server of packages does, a run ends; what it gives wrongly is kept nowhere."""

from __future__ import annotations

import os
import random
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from orchestrator import transfer
from orchestrator.resolve.debian import fetch
from tests.e2e.archives import FileServer
from tests.faults.scenarios import Building, Scenario
from tests.faults.servers import LIES, Liar
from tests.faults.tally import Tally
from tests.real.fault_proxy import Fault, FaultProxy

_STALLED_S = 0.3
_TIMES, FULL_TIMES = 1, 6


def hurry() -> None:
    """Let a process give up early on servers that stall, and try again at once."""
    transfer.http_client.__defaults__ = (_STALLED_S, None)
    transfer.RETRY_S = 0.001
    fetch._TIMEOUT_S, vars(fetch)["RETRY_S"] = _STALLED_S, 0.001
    os.environ["UV_HTTP_TIMEOUT"] = "1"


VERBS = ("build", "lock", "wheels")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try every lie on every verb; in the short form each on one."""
    if "lie" in metafunc.fixturenames:
        full = metafunc.config.getoption("--full")
        cases = [(lie, VERBS[at % 3]) for at, lie in enumerate(LIES)]
        every = [(lie, verb) for lie in LIES for verb in VERBS]
        metafunc.parametrize(("lie", "verb"), every if full else cases)


def test_a_server_that_lies(
    request: pytest.FixtureRequest,
    home: Path,
    server: FileServer,
    tally: Tally,
    lie: str,
    verb: str,
) -> None:
    scenario: Scenario = request.getfixturevalue(verb)
    liar = type("Owned", (Liar,), {"lie": staticmethod(LIES[lie])})
    address = urlsplit(server.url(server.root)).netloc
    rng = random.Random(f"{lie} {verb}")
    for number in range(FULL_TIMES if request.config.getoption("--full") else _TIMES):
        lies_at = [{1}, {2}, {rng.randint(2, 9)}, range(1, 1000)][number % 4]
        with FaultProxy(address, Fault.RESET, lies_at, handler=liar).running() as proxy:
            ground = scenario.fresh(home / f"{number}")
            settings = ground.root / "orch.toml"
            settings.write_text(settings.read_text().replace(address, proxy.address))
            more = ("--retries", "0") if isinstance(scenario, Building) else ()
            ended = ground.run(*scenario.verb, *more, prepare=hurry)
            tally.count(f"runs with a server that {lie}")
            assert ended.code in {0, 1, 3}, ended.said
            proxy.at = ()
            scenario.heal(ground, tally)
