"""Speech to text: a recording is uploaded, its text comes back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, File, HTTPException, UploadFile
from pydantic import BaseModel

from voiceplatform import settings
from voiceplatform.resource import Resource, files
from voiceplatform.service import create_service

MODEL = settings.path("STT_MODEL", "/models/whisper")


class Segment(BaseModel):
    """A piece of text, in seconds from the start."""

    start_s: float
    end_s: float
    text: str


class Transcript(BaseModel):
    """What was said, and in which language."""

    language: str
    duration_s: float
    segments: list[Segment]


def load_model() -> Any:
    """Load Whisper from files of this machine; nothing is downloaded."""
    from faster_whisper import WhisperModel

    return WhisperModel(str(MODEL), device="cpu", compute_type="int8", local_files_only=True)


model: Resource[Any] = Resource(
    "whisper-model", load_model, files(MODEL / "model.bin", MODEL / "config.json")
)
app: FastAPI = create_service("stt", resources=[model])


@app.post("/transcripts")
def transcribe(recording: Annotated[UploadFile, File()], language: str | None = None) -> Transcript:
    """Return the text of an audio file in any format that FFmpeg reads."""
    whisper = model.get()
    try:
        found, info = whisper.transcribe(recording.file, language=language, vad_filter=True)
    except (OSError, ValueError) as error:
        raise HTTPException(415, f"not an audio file: {error}") from error
    segments = [Segment(start_s=s.start, end_s=s.end, text=s.text.strip()) for s in found]
    return Transcript(language=info.language, duration_s=info.duration, segments=segments)
