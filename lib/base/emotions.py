"""The six emotions: their order, names and colours, the same everywhere."""

from __future__ import annotations

#: Order of the paper's Figure 5, and of every table, axis and softmax unit here.
EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad")

#: Columns of a table of predictions: the probability of each emotion.
PROBABILITIES = [f"p_{emotion}" for emotion in EMOTIONS]

#: Okabe & Ito's palette, which colour-blind readers can tell apart.
COLOURS = {
    "angry": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happy": "#E69F00",
    "neutral": "#7F7F7F",
    "sad": "#0072B2",
}

#: The emotion's code in a CREMA-D file name.
CREMAD_CODES = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}

#: The emotion's code in a RAVDESS file name; calm (02) and surprised (08) are not among the six.
RAVDESS_CODES = {"01": "neutral", "03": "happy", "04": "sad", "05": "angry", "06": "fear", "07": "disgust"}
