"""The bot: connects to Discord's gateway and says how loud the recordings are that people post."""

from __future__ import annotations

import asyncio
import io
import wave

import numpy as np
import structlog

import discord
from voiceplatform.components import READY, Status, waiting

RETRY_S = 15.0
MAX_BYTES = 8_000_000
log = structlog.get_logger()


def loudness(recording: bytes) -> float:
    """Return the level of a 16-bit WAV recording in dBFS; -inf for silence."""
    with wave.open(io.BytesIO(recording)) as source:
        frames = source.readframes(source.getnframes())
    samples = np.frombuffer(frames, dtype="<i2").astype(np.float64) / 32768.0
    with np.errstate(divide="ignore"):
        return float(20 * np.log10(np.sqrt(np.mean(samples**2)))) if samples.size else -np.inf


class Bot(discord.Client):
    """Answers messages that carry a recording."""

    def __init__(self) -> None:
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents)

    async def on_message(self, message: discord.Message) -> None:
        for attachment in message.attachments:
            if attachment.filename.endswith(".wav") and attachment.size <= MAX_BYTES:
                level = loudness(await attachment.read())
                await message.reply(f"{attachment.filename}: {level:.1f} dBFS")


class Gateway:
    """Keeps a bot connected for as long as the service runs."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._bot: Bot | None = None
        self._error = ""

    def status(self) -> Status:
        if not self._token:
            return waiting("DISCORD_TOKEN not set")
        if self._bot is not None and self._bot.is_ready():
            return READY
        return waiting(self._error or "connecting")

    async def run(self) -> None:
        """Connect, and connect again after an error, until cancelled."""
        while self._token:
            async with Bot() as self._bot:
                try:
                    await self._bot.start(self._token)
                except discord.LoginFailure as error:
                    self._error = str(error)
                    log.warning("the token was refused", error=self._error)
                    return
                except (OSError, discord.DiscordException) as error:
                    self._error = f"{type(error).__name__}: {error}"
                    log.warning("not connected", error=self._error, retry_s=RETRY_S)
            await asyncio.sleep(RETRY_S)
