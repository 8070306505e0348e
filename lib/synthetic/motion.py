"""What an actor does in one take: action units, speech, blinks, gaze and head motion over the frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from lib.corpora.twins import Mixture
from lib.synthetic.actors import Actor
from lib.synthetic.dials import AUS, NEIGHBOURS, PROTOTYPES, Dials

#: Syllables of CREMA-D's twelve sentences ("It's eleven o'clock" = IEO) and RAVDESS's two statements.
SYLLABLES = {
    **{"IEO": 6, "TIE": 8, "IOM": 7, "IWW": 7, "TAI": 8, "MTI": 8, "IWL": 8, "ITH": 7, "DFA": 7},
    **{"ITS": 9, "TSI": 8, "WSI": 7, "01": 7, "02": 7},
}


@dataclass(frozen=True)
class Take:
    """One performance of `n` frames.

    ``aus`` float (n, 15) strengths in the order of ``dials.AUS``; ``opening`` (n,) of the mouth and ``width``
    (n,) by speech; ``lids`` (n,) 1 open .. 0 shut; ``gaze`` (n, 2) and ``shift`` (n, 2) in canonical units;
    ``pose`` (n, 3) yaw, pitch, roll in radians.
    """

    aus: np.ndarray
    opening: np.ndarray
    width: np.ndarray
    lids: np.ndarray
    gaze: np.ndarray
    shift: np.ndarray
    pose: np.ndarray


def wander(rng, n: int, columns: int, period: float) -> np.ndarray:
    """Slow random movement of about unit size, (n, columns), with waves of `period` frames and longer."""
    t = np.arange(n)[:, None]
    out = np.zeros((n, columns))
    for share, stretch in ((0.75, 2.3), (0.5, 1.0), (0.25, 0.45)):
        phase = rng.uniform(0, 2 * np.pi, columns)
        rate = 2 * np.pi / (period * stretch * rng.uniform(0.8, 1.25, columns))
        out += share * np.sin(t * rate + phase)
    return out


def _ease(t):
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _envelope(rng, n: int, units: int) -> np.ndarray:
    """Onset, apex and offset of each unit, (n, units), 0-1; the units of one face nearly agree."""
    start = rng.uniform(-0.10, 0.16) * n + rng.normal(0, 2.0, units)
    rise = rng.uniform(6, 14) * rng.uniform(0.8, 1.25, units)
    end = rng.uniform(0.80, 1.25) * n + rng.normal(0, 2.5, units)
    fall = rng.uniform(8, 20) * rng.uniform(0.8, 1.25, units)
    t = np.arange(n)[:, None]
    breath = 1 + 0.14 * wander(rng, n, units, 22)
    return _ease((t - start) / rise) * (1 - 0.8 * _ease((t - end) / fall)) * breath


def _speech(rng, sentence: str, n: int, talk: float) -> tuple[np.ndarray, np.ndarray]:
    """Opening and width of a speaking mouth, (n,) each: one hump a syllable, vowels fixed by the sentence."""
    words = np.random.default_rng([ord(c) for c in sentence])
    count = SYLLABLES[sentence]
    vowels = words.uniform(0.35, 1.0, count) * rng.uniform(0.8, 1.2, count)
    rounds = words.uniform(-1, 1, count)
    begin, end = rng.uniform(0.06, 0.16) * n, rng.uniform(0.80, 0.93) * n
    steps = rng.uniform(0.7, 1.3, count).cumsum()
    centres = begin + (end - begin) * (steps - steps[0] / 2) / steps[-1]
    span = (end - begin) / count
    humps = np.exp(-0.5 * ((np.arange(n)[:, None] - centres) / (0.30 * span)) ** 2)
    return talk * (humps * vowels).sum(1).clip(0, 1.2), talk * (humps * rounds).sum(1).clip(-1, 1)


def _blinks(rng, n: int) -> np.ndarray:
    lids = np.ones(n)
    at = rng.uniform(0, 60)
    while at < n:
        lids *= 1 - 0.97 * np.exp(-0.5 * ((np.arange(n) - at) / 1.35) ** 2)
        at += rng.uniform(38, 130)
    return lids


def joined(takes: Sequence[Take]) -> Take:
    """Join `takes` into one take."""
    columns = {field.name: [getattr(take, field.name) for take in takes] for field in fields(Take)}
    return Take(**{name: np.concatenate(parts) for name, parts in columns.items()})


def perform(
    actor: Actor, emotion: str, level: str, sentence: str, n: int, rng, dials: Dials, mixture: Mixture | None = None
) -> Take:
    """Play `sentence` with `emotion` at `level` for `n` frames.

    Timing, strength and a possible tinge of another emotion come from `rng`; habits and resting face from the actor.
    With a `mixture` the face shows the emotions by their shares, without tinge and level: the raters' votes already
    depend on the level.
    """
    strength = dials.level["XX" if mixture else level]
    gain = dials.amplitude * strength * actor.strength * np.exp(rng.normal(0, 0.12))
    if mixture is None:
        tinge = rng.uniform(0, dials.tinge) if emotion != "neutral" else rng.uniform(0, 0.6 * dials.tinge)
        other = NEIGHBOURS[emotion][rng.integers(len(NEIGHBOURS[emotion]))]
        mixture = (emotion, 1 - tinge), (other, tinge)
    target = np.zeros(len(AUS))
    for name, share in mixture:
        for au, unit in PROTOTYPES[name].items():
            k = AUS.index(au)
            target[k] += share * gain * unit * actor.habits[name][k] * np.exp(rng.normal(0, 0.15))
    aus = _envelope(rng, n, len(AUS)) * target + np.asarray(actor.resting)
    aus += dials.drift * wander(rng, n, len(AUS), 30) * (np.asarray(AUS) != 26)
    # Brows and cheeks accompany speech a little, whatever the emotion.
    opening, width = _speech(rng, sentence, n, dials.talk * actor.talk)
    beat = 0.16 * np.clip(wander(rng, n, 1, 18)[:, 0], 0, None) * (opening > 0.05)
    aus[:, AUS.index(1)] += beat
    aus[:, AUS.index(2)] += beat
    aus = np.clip(aus, 0, 1.5)

    sway = dials.motion * actor.motion
    offset = rng.normal(0, 1, 3) * (2.6, 2.2, 1.6)
    pose = np.radians(offset + sway * wander(rng, n, 3, 40) * (3.4, 2.6, 2.0)) * (1, 1, 1)
    pose[:, 1] += np.radians(sway * 1.2) * (opening - 0.3)
    shift = sway * 0.045 * wander(rng, n, 2, 45)
    gaze = 0.012 * wander(rng, n, 2, 70) - 0.05 * pose[:, :2]
    return Take(aus, opening, width, _blinks(rng, n), gaze, shift, pose)
