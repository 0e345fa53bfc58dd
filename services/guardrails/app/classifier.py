"""A text classifier: a tokenizer and an ONNX model from one folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession, SessionOptions
from tokenizers import Tokenizer

MAX_TOKENS = 512


class Classifier:
    """Gives each label a probability."""

    def __init__(self, folder: Path) -> None:
        options = SessionOptions()
        options.intra_op_num_threads = 1
        self._session = InferenceSession(
            folder / "model.onnx", options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {entry.name for entry in self._session.get_inputs()}
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._labels = _read_labels(folder / "config.json")

    def classify(self, text: str) -> dict[str, float]:
        """Return the probability of every label; they sum to 1."""
        encoding = self._tokenizer.encode(text)
        tensors = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        feed = {k: np.array([v], dtype=np.int64) for k, v in tensors.items() if k in self._inputs}
        logits = self._session.run(None, feed)[0][0]
        weights = np.exp(logits - logits.max())
        return {
            self._labels.get(place, str(place)): float(share)
            for place, share in enumerate(weights / weights.sum())
        }


def _read_labels(config: Path) -> dict[int, str]:
    if not config.exists():
        return {}
    labels = json.loads(config.read_text(encoding="utf-8")).get("id2label", {})
    return {int(place): label for place, label in labels.items()}
