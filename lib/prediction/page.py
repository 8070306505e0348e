"""Write the timeline of a video as a picture (SVG), and the page with pictures and tables (HTML)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from jinja2 import Environment

from lib.base.emotions import COLOURS, EMOTIONS, PROBABILITIES
from lib.base.files import write_text
from lib.base.problems import InputProblem
from lib.base.templates import environment
from lib.prediction.result import Prediction

#: Windows in one row of the picture; their width, and the heights of face, bar and row, in pixels.
ACROSS, WIDTH, FACE, BAR, ROW = 24, 40, 38, 96, 176


def _templates() -> Environment:
    return environment(Path(__file__).parent / "templates", escape=True, quoted=quote)


def write_picture(prediction: Prediction, description: Mapping[str, Any], path: Path) -> None:
    """Write the timeline: for each window its middle masked face above a bar of the six probabilities."""
    windows = []
    for number, (row, face) in enumerate(zip(prediction.rows, prediction.faces, strict=True)):
        top, bars = 0.0, []
        if not row["problem"]:
            for emotion, name in zip(EMOTIONS, PROBABILITIES, strict=True):
                bars.append((COLOURS[emotion], round(top, 2), round(BAR * row[name], 2)))
                top += BAR * row[name]
        place = {"x": number % ACROSS * WIDTH, "y": number // ACROSS * ROW}
        windows.append(row | place | {"bars": bars, "face": None if face is None else _as_png(face)})
    text = (
        _templates()
        .get_template("timeline.svg.j2")
        .render(
            title=prediction.video.name,
            trained_on=description["trained_on"],
            windows=windows,
            colours=COLOURS,
            size={"across": ACROSS, "width": WIDTH, "face": FACE, "bar": BAR, "row": ROW},
            rows=-(-max(len(windows), 1) // ACROSS),
        )
    )
    write_text(path, text)


def write_page(
    predictions: list[Prediction], failed: list[InputProblem], description: Mapping[str, Any], path: Path
) -> None:
    """Write the page of all `predictions`; it shows the pictures in the same folder, and opens without a server."""
    text = (
        _templates()
        .get_template("index.html.j2")
        .render(
            predictions=predictions,
            failed=failed,
            description=description,
            emotions=EMOTIONS,
            probabilities=PROBABILITIES,
        )
    )
    write_text(path, text)


def _as_png(face: np.ndarray) -> str:
    """`face`, RGB, as a PNG file in base 64."""
    return base64.b64encode(cv2.imencode(".png", cv2.cvtColor(face, cv2.COLOR_RGB2BGR))[1].tobytes()).decode("ascii")
