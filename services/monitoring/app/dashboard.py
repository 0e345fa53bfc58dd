"""The dashboard: a Streamlit script, run anew for each viewer and each refresh."""

from __future__ import annotations

import httpx
import pandas as pd
import streamlit as st

from voiceplatform import settings

TIMEOUT_S = 3
Row = dict[str, str | bool]


def ask(name: str, address: str) -> list[Row]:
    """Ask a service which of its components are ready; a row for each."""
    try:
        body = httpx.get(f"{address}/health/ready", timeout=TIMEOUT_S).json()
        components = body["components"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        detail = f"{type(error).__name__}: {error}"
        return [{"service": name, "component": "-", "ready": False, "detail": detail}]
    return [{"service": name, "component": part, **state} for part, state in components.items()]


@st.fragment(run_every="10s")
def show() -> None:
    """Show the table; refreshed by itself."""
    monitored = settings.pairs("MONITORED") or {"monitoring": "http://127.0.0.1:8501"}
    rows = [row for name, address in monitored.items() for row in ask(name, address)]
    table = pd.DataFrame(rows, columns=["service", "component", "ready", "detail"])
    down = table.loc[~table["ready"].astype(bool), "service"].nunique()
    left, right = st.columns(2)
    left.metric("services", len(monitored))
    right.metric("not ready", down)
    st.dataframe(table, hide_index=True, width="stretch")


st.set_page_config(page_title="Voice platform", layout="wide")
st.title("Voice platform")
show()
