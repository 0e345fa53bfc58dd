"""Traces of builds: rows, arrows and times; as a file for Perfetto, and sent to a collector."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from orchestrator.cli import orch as cli
from orchestrator.errors import OrchError
from orchestrator.fingerprint import Fingerprint
from orchestrator.logs import Event
from orchestrator.plan import Action, Step
from orchestrator.ports import Outcome, Status
from orchestrator.report.trace import spans_of, trace_document
from tests.helpers import AMD64, ROOT, graph_of, write_lock, write_tree, write_workspace
from tests.servers import serving

COPY = "[[files]]\nfrom = 'src'\nto = '/app'\n"
GRAPH = graph_of("base; web: base; api: web; bot: web; other")
EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


def outcome(name: str, start_s: float, end_s: float, error: str = "") -> Outcome:
    step = Step(GRAPH.images[name], AMD64, GRAPH.tiers[name], Action.BUILD, Fingerprint.of([]))
    failure = OrchError(error) if error else None
    status = Status.FAILED if error else Status.BUILT
    return Outcome(step, status, "why", None, start_s, end_s - start_s, 1, failure)


def outcomes(**times: tuple[float, float]) -> dict[str, Outcome]:
    return {name: outcome(name, *when) for name, when in times.items()}


def drawn(done: Mapping[str, Outcome], *events: Event) -> list[dict[str, Any]]:
    document = trace_document(spans_of(done, GRAPH.parents, events), 100.0, {})
    found: list[dict[str, Any]] = document["traceEvents"]
    return found


def slices(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {event["name"]: event for event in found if event["ph"] == "X"}


def row_names(found: list[dict[str, Any]]) -> dict[int, str]:
    return {e["tid"]: e["args"]["name"] for e in found if e["name"] == "thread_name"}


DONE = outcomes(base=(101, 102), other=(101, 106), web=(102, 103), api=(103, 105), bot=(105, 106))


def test_every_image_is_a_slice_from_its_beginning_to_its_end_in_microseconds() -> None:
    found = slices(drawn(DONE))
    assert set(found) == set(DONE)
    assert (found["api"]["ts"], found["api"]["dur"]) == (3e6, 2e6)
    assert found["api"]["args"]["status"] == "built"


def test_what_is_at_work_at_the_same_time_is_in_rows_of_its_own_and_rows_are_used_again() -> None:
    found = drawn(DONE)
    rows = {name: event["tid"] for name, event in slices(found).items()}
    assert rows["other"] not in {rows[name] for name in ("base", "web", "api", "bot")}
    assert rows["base"] == rows["web"] == rows["api"] == rows["bot"]
    assert sorted(row_names(found).values()) == ["image 1", "image 2"]


def test_who_waited_for_whom_is_told_and_drawn() -> None:
    found = drawn(DONE)
    args = {name: event["args"] for name, event in slices(found).items()}
    assert "waited_for" not in args["base"]
    assert (args["web"]["waited_for"], args["web"]["then_for_a_worker_s"]) == ("base", 0)
    assert (args["bot"]["waited_for"], args["bot"]["then_for_a_worker_s"]) == ("web", 2)
    begins = {event["id"]: event for event in found if event["ph"] == "s"}
    ends = {event["id"]: event for event in found if event["ph"] == "f"}
    assert begins.keys() == ends.keys()
    arrows = sorted((begin["ts"], ends[number]["ts"]) for number, begin in begins.items())
    assert arrows == [(2e6 - 1, 2e6), (3e6 - 1, 3e6), (3e6 - 1, 5e6)]


def test_events_that_took_time_are_slices_and_others_moments() -> None:
    fetched = Event("file.fetched", 104.0, {"file": "x.deb", "duration_s": 1.5})
    layer = Event("layer.made", 104.5, {"what": "files"})
    found = drawn({}, fetched, layer)
    event = slices(found)["file.fetched x.deb"]
    assert (event["ts"], event["dur"], event["cat"]) == (2.5e6, 1.5e6, "file")
    (moment,) = [event for event in found if event["ph"] == "i"]
    assert (moment["name"], moment["ts"]) == ("layer.made files", 4.5e6)
    assert set(row_names(found).values()) == {"file 1", "layer 1"}


def test_what_outcomes_tell_of_images_events_do_not_tell_again() -> None:
    events = [Event(f"image.{verb}", 101.0, {"image": "base"}) for verb in ("started", "built")]
    retried = Event("image.retried", 101.5, {"image": "base", "because": "busy"})
    found = drawn(outcomes(base=(101, 102)), *events, retried)
    names = [event["name"] for event in found if event["ph"] in "Xi"]
    assert names == ["base", "image.retried base"]


def test_images_that_nobody_worked_on_have_no_slice() -> None:
    reused = Outcome(DONE["base"].step, Status.REUSED)
    found = drawn({"base": reused, "web": DONE["web"]})
    assert set(slices(found)) == {"web"}
    assert not [event for event in found if event["ph"] == "s"]


@dataclass
class Collector:
    """A receiver of OTLP over HTTP; `answer` is the code of its answers."""

    address: str = ""
    answer: int = 200
    requests: list[tuple[str, dict[str, str], ExportTraceServiceRequest]] = field(
        default_factory=list
    )

    @property
    def spans(self) -> dict[str, Any]:
        """Return the spans of the one request by name."""
        ((_, _, request),) = self.requests
        (resource,) = request.resource_spans
        return {span.name: span for scope in resource.scope_spans for span in scope.spans}


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportTraceServiceRequest.FromString(body)
            found.requests.append((self.path, dict(self.headers), request))
            self.send_response(found.answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield found


@pytest.fixture
def ws(tmp_path: Path, orch_cache: Path) -> Path:
    """Write a workspace of three images that need no download; `b` stands on `a`."""
    recipes = {"base/a": f'from = "{ROOT}"\n{COPY}', "services/b": f'from = "a"\n{COPY}'}
    root = write_workspace(tmp_path / "ws", recipes | {"base/c": f'from = "{ROOT}"\n'})
    write_tree(root, {"base/a/src/x.txt": "x", "services/b/src/y.txt": "y"})
    write_lock(root)
    return root


@pytest.fixture
def orch(ws: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(cli, ["-C", str(ws), *words], standalone_mode=False)

    return invoke


def test_the_trace_of_a_build_agrees_with_its_report(
    orch: Callable[..., Result], tmp_path: Path
) -> None:
    files = [str(tmp_path / name) for name in ("trace.json", "report.json")]
    assert orch("build", "--trace", files[0], "--report", files[1]).return_value == 0
    trace, report = (json.loads(Path(file).read_text()) for file in files)
    assert trace["otherData"]["run"] == report["run"]
    found = slices(trace["traceEvents"])
    began = min(found[name]["ts"] for name in "abc")
    for image in report["images"]:
        event = found[image["name"]]
        assert event["args"]["digest"] == image["digest"]
        assert event["dur"] / 1e6 == pytest.approx(image["duration_s"], abs=0.001)
        assert (event["ts"] - began) / 1e6 == pytest.approx(image["started_s"], abs=0.001)
    assert found["b"]["args"]["waited_for"] == "a"
    assert any(event["name"].startswith("layer.made") for event in trace["traceEvents"])


def test_a_build_with_nothing_to_do_has_an_empty_trace(
    orch: Callable[..., Result], tmp_path: Path
) -> None:
    orch("build")
    orch("build", "--trace", str(tmp_path / "trace.json"))
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert [event["ph"] for event in trace["traceEvents"]] == ["M"]


def test_spans_are_sent_to_the_collector_that_the_environment_names(
    orch: Callable[..., Result], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=audio")
    result = orch("build")
    assert result.return_value == 0
    assert "warning" not in result.stderr
    ((path, headers, request),) = collector.requests
    assert path == "/v1/traces"
    assert headers["x-team"] == "audio"
    resource = {
        item.key: item.value.string_value for item in request.resource_spans[0].resource.attributes
    }
    assert resource["service.name"] == "orch"
    spans = collector.spans
    root = spans["orch build"]
    assert {"a", "b", "c"} < set(spans)
    assert {span.parent_span_id for name, span in spans.items() if span is not root} == {
        root.span_id
    }
    assert len({span.trace_id for span in spans.values()}) == 1
    assert [link.span_id for link in spans["b"].links] == [spans["a"].span_id]
    assert spans["b"].start_time_unix_nano >= spans["a"].end_time_unix_nano
    assert root.start_time_unix_nano <= spans["a"].start_time_unix_nano
    assert root.end_time_unix_nano >= spans["b"].end_time_unix_nano


def test_an_image_that_failed_is_a_span_with_an_error(
    orch: Callable[..., Result], ws: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.address)
    fetch = f"[[fetch]]\nurl = 'https://h.example/x'\nsha256 = '{'0' * 64}'\nto = '/x'\n"
    write_tree(ws, {"base/c/image.toml": f'from = "{ROOT}"\n{fetch}'})
    assert orch("build", "--offline").return_value == 1
    spans = collector.spans
    assert spans["c"].status.code == spans["orch build"].status.code == 2
    assert "--offline" in spans["c"].status.message
    assert spans["a"].status.code == 0


def test_a_collector_that_takes_nothing_is_a_warning(
    orch: Callable[..., Result], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
    collector.answer = 400
    result = orch("build")
    assert result.return_value == 0
    assert "warning: the trace was not sent:" in result.stderr
    assert "400" in result.stderr
    assert len(result.stderr.splitlines()) < 12


def test_where_the_extra_is_not_installed_a_warning_says_what_to_install(
    orch: Callable[..., Result], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
    monkeypatch.setitem(sys.modules, EXPORTER, None)
    result = orch("build")
    assert result.return_value == 0
    assert 'pip install "orchestrator[otel]"' in result.stderr
    assert collector.requests == []
