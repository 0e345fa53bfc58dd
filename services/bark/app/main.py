"""Generated speech, with laughs and sighs, as a WAV recording. All packages are the base's."""

from __future__ import annotations

import io
from typing import Any

from fastapi import FastAPI, Response
from pydantic import BaseModel, Field

from voiceplatform import settings
from voiceplatform.resource import Resource, files
from voiceplatform.service import create_service

MODEL = settings.path("BARK_MODEL", "/models/bark")


class Speech(BaseModel):
    """What to say; [laughs] and [sighs] are understood."""

    text: str = Field(min_length=1, max_length=400)


def load_pipeline() -> Any:
    """Load the model from files of this machine; nothing is downloaded."""
    from transformers import pipeline

    return pipeline("text-to-audio", model=str(MODEL), device="cpu")


model: Resource[Any] = Resource("bark-model", load_pipeline, files(MODEL / "config.json"))
app: FastAPI = create_service("bark", resources=[model])


@app.post("/speech", response_class=Response)
def speak(speech: Speech) -> Response:
    """Return the recording of a text."""
    from scipy.io import wavfile

    output = model.get()(speech.text)
    recording = io.BytesIO()
    wavfile.write(recording, output["sampling_rate"], output["audio"].squeeze())
    return Response(recording.getvalue(), media_type="audio/wav")
