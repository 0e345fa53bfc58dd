"""Text to speech: text goes in, a WAV recording comes out."""

from __future__ import annotations

import io
import wave
from typing import Any

from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

from voiceplatform import settings
from voiceplatform.resource import Resource, files
from voiceplatform.service import create_service

FOLDER = settings.path("TTS_MODEL", "/models/kokoro")
MODEL, VOICES = FOLDER / "kokoro.onnx", FOLDER / "voices.bin"


class Speech(BaseModel):
    """What to say, and how."""

    text: str = Field(min_length=1, max_length=2000)
    voice: str = "af_heart"
    language: str = "en-us"
    speed: float = Field(default=1.0, ge=0.5, le=2.0)


def load_model() -> Any:
    """Load Kokoro from files of this machine; nothing is downloaded."""
    from kokoro_onnx import Kokoro

    return Kokoro(str(MODEL), str(VOICES))


model: Resource[Any] = Resource("kokoro-model", load_model, files(MODEL, VOICES))
app: FastAPI = create_service("tts", resources=[model])


def to_wav(samples: Any, rate: int) -> bytes:
    """Return samples between -1 and 1 as a 16-bit mono WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


@app.get("/voices")
def voices() -> list[str]:
    """Return the names of the voices."""
    return list(model.get().get_voices())


@app.post("/speech", response_class=Response)
def speak(speech: Speech) -> Response:
    """Return the recording of a text."""
    kokoro = model.get()
    if speech.voice not in kokoro.get_voices():
        raise HTTPException(422, f"unknown voice {speech.voice!r}; see /voices")
    samples, rate = kokoro.create(
        speech.text, voice=speech.voice, speed=speech.speed, lang=speech.language
    )
    return Response(to_wav(samples, rate), media_type="audio/wav")
