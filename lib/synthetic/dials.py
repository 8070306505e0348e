"""The parameters that decide how difficult the sample is."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Facial action units (FACS) that the heads can move.
AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 23, 25, 26)

#: Action units of each emotion and their strength at full amplitude (EMFACS prototypes).
PROTOTYPES = {
    "angry": {4: 1.0, 5: 0.5, 7: 0.9, 23: 1.0},
    "disgust": {9: 1.0, 10: 0.9, 15: 0.5},
    "fear": {1: 1.0, 2: 0.7, 4: 0.5, 5: 1.0, 7: 0.2, 20: 1.0, 25: 0.7},
    "happy": {6: 0.9, 12: 1.0},
    "neutral": {},
    "sad": {1: 1.0, 4: 0.5, 15: 1.0},
    "calm": {12: 0.15},  # RAVDESS only; the study leaves it out
    "surprised": {1: 1.0, 2: 1.0, 5: 0.9, 26: 0.9},  # RAVDESS only; the study leaves it out
}

#: Emotions that may be mixed into a clip: those that people confuse with it (see the CREMA-D votes).
NEIGHBOURS = {
    "angry": ("disgust", "neutral", "sad"),
    "disgust": ("angry", "sad", "neutral"),
    "fear": ("sad", "disgust", "angry"),
    "happy": ("neutral", "disgust"),
    "neutral": ("sad", "angry", "happy"),
    "sad": ("neutral", "fear", "disgust"),
    "calm": ("neutral",),
    "surprised": ("fear",),
}


@dataclass(frozen=True)
class Dials:
    """The parameters that decide how well a network can distinguish the emotions.

    The first six matter most. Lengths are fractions of a face's half width, angles degrees, noise grey levels.
    """

    amplitude: float = 1.2  #: scale of all action units of an emotion: higher is easier
    displacement: float = 0.5  #: how far action units move the skin, hence the landmarks, per unit of strength
    relief: float = 2.5  #: how deep their wrinkles and bulges are, per unit of strength
    idiosyncrasy: float = 0.25  #: how far an actor's habits bend each unit of each emotion (0 none, 1 wild)
    tinge: float = 0.3  #: largest share of a neighbouring emotion mixed into a clip
    talk: float = 1.0  #: how far speech moves the mouth

    level: dict = field(  #: amplitude of CREMA-D's levels and RAVDESS's intensities; the second corpus shows less,
        # so that the way there costs accuracy
        default_factory=lambda: {"LO": 0.55, "MD": 0.8, "HI": 1.15, "XX": 0.9, "normal": 0.5, "strong": 0.8}
    )
    expressiveness: float = 0.18  #: spread (log) of the actors' overall strength
    drift: float = 0.08  #: slow random movement of every action unit, neutral clips too
    resting: float = 0.06  #: how far an actor's resting face already resembles some emotion
    motion: float = 1.0  #: head motion: about 4 degrees and 0.06 half widths
    noise: float = 3.0  #: camera noise (standard deviation)


DIALS = Dials()
