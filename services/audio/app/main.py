"""Finds speech in raw audio, measures recordings, and counts what it has done."""

from __future__ import annotations

import io
import warnings
from typing import Annotated, Any, Literal

from fastapi import Body, FastAPI, HTTPException, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from pydantic import BaseModel

from voiceplatform.resource import Resource
from voiceplatform.service import create_service

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its use of pkg_resources; the requirements keep that working
    import webrtcvad

SAMPLE_BYTES = 2
seconds_heard = Counter("audio_seconds", "Audio looked at, in seconds", ["kind"])


class Span(BaseModel):
    """A stretch of speech, in seconds from the start."""

    start_s: float
    end_s: float


class Features(BaseModel):
    """What a recording is like."""

    duration_s: float
    sample_rate: int
    rms: float
    tempo_bpm: float
    centroid_hz: float


def load_librosa() -> Any:
    """Import librosa and have numba compile what is needed, so that no request waits for it."""
    import librosa

    librosa.feature.tempo(y=librosa.tone(440, sr=8000, duration=1), sr=8000)
    return librosa


librosa: Resource[Any] = Resource("librosa", load_librosa)
app: FastAPI = create_service("audio", resources=[librosa])


@app.post("/speech")
def find_speech(
    pcm: Annotated[bytes, Body(media_type="application/octet-stream")],
    sample_rate: Annotated[Literal["8000", "16000", "32000", "48000"], Query()] = "16000",
    frame_ms: Annotated[Literal["10", "20", "30"], Query()] = "30",
    aggressiveness: Annotated[int, Query(ge=0, le=3)] = 2,
) -> list[Span]:
    """Return the stretches of speech in 16-bit mono PCM."""
    rate, frame_s = int(sample_rate), int(frame_ms) / 1000
    size = int(rate * frame_s) * SAMPLE_BYTES
    detector = webrtcvad.Vad(aggressiveness)
    spans: list[Span] = []
    for number, at in enumerate(range(0, len(pcm) - size + 1, size)):
        if not detector.is_speech(pcm[at : at + size], rate):
            continue
        start, end = round(number * frame_s, 3), round((number + 1) * frame_s, 3)
        if spans and spans[-1].end_s == start:
            spans[-1].end_s = end
        else:
            spans.append(Span(start_s=start, end_s=end))
    seconds_heard.labels("speech").inc(len(pcm) / SAMPLE_BYTES / rate)
    return spans


@app.post("/features")
def measure(
    recording: Annotated[bytes, Body(media_type="application/octet-stream")],
) -> Features:
    """Return what an audio file (WAV, FLAC, OGG, MP3) is like."""
    import soundfile

    lib = librosa.get()
    try:
        samples, rate = soundfile.read(io.BytesIO(recording), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise HTTPException(415, f"not an audio file: {error}") from error
    mono = samples.mean(axis=1)
    seconds_heard.labels("features").inc(len(mono) / rate)
    return Features(
        duration_s=len(mono) / rate,
        sample_rate=rate,
        rms=float(lib.feature.rms(y=mono).mean()),
        tempo_bpm=float(lib.feature.tempo(y=mono, sr=rate)[0]),
        centroid_hz=float(lib.feature.spectral_centroid(y=mono, sr=rate).mean()),
    )


@app.get("/metrics")
def metrics() -> Response:
    """Return the counters in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
