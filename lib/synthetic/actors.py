"""Looks, proportions and habits of a drawn actor, which follow from the actor's number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lib.corpora.twins import Person
from lib.synthetic.dials import AUS, DIALS, PROTOTYPES

# Skin (sRGB), race and ethnicity as CREMA-D names them, natural hair colours.
_PEOPLE = [
    ((222, 178, 152), "Caucasian", "Not Hispanic", ((92, 64, 42), (150, 112, 68), (48, 36, 28), (118, 62, 36))),
    ((112, 74, 54), "African American", "Not Hispanic", ((24, 20, 19), (34, 26, 23))),
    ((213, 170, 134), "Asian", "Not Hispanic", ((26, 22, 22), (38, 30, 27))),
    ((233, 192, 170), "Caucasian", "Not Hispanic", ((186, 150, 98), (138, 76, 42), (78, 56, 40), (52, 42, 36))),
    ((186, 138, 104), "Unknown", "Hispanic", ((34, 26, 22), (58, 40, 30))),
    ((140, 96, 70), "African American", "Not Hispanic", ((26, 21, 20), (46, 32, 26))),
    ((200, 152, 120), "Caucasian", "Hispanic", ((46, 33, 26), (74, 50, 34))),
]
_STYLES = {
    "Male": ("short", "parted", "buzz", "receding", "curly"),
    "Female": ("long", "bun", "bob", "parted_long", "curly"),
}
_IRISES = ((88, 62, 42), (70, 48, 34), (96, 112, 84), (92, 116, 136), (112, 88, 58))


@dataclass(frozen=True)
class Actor:
    """A drawn person. Lengths in half face widths, colours sRGB 0-255."""

    number: int
    sex: str
    age: int
    race: str
    ethnicity: str
    skin: tuple
    hair: tuple
    style: str
    beard: float  #: 0 none .. 1 full
    iris: tuple
    width: float  #: cheek half width
    jaw: float  #: jaw width, 1 = average
    chin: float  #: y of the chin
    cranium: float  #: y of the top of the skull (negative: up)
    hairline: float
    eye_x: float
    eye_w: float  #: half width of an eye
    eye_h: float  #: height of the open eye
    eye_tilt: float
    brow_y: float
    brow_thick: float
    brow_arch: float
    brow_tilt: float
    nose_y: float
    nose_w: float
    nose_tip: float  #: how far it stands out
    mouth_y: float
    mouth_w: float
    lip_up: float
    lip_low: float
    resting: tuple  #: action units at rest, in the order of AUS
    habits: dict  #: emotion -> gain of each action unit
    strength: float  #: overall expressiveness
    asymmetry: tuple  #: left/right gain of brows and of the mouth
    talk: float
    motion: float
    light: tuple  #: direction towards the key light (x right, y down, z to the camera)
    light_colour: tuple
    seed: int


def _looks(number: int, person: Person | None) -> tuple:
    """Skin, race, ethnicity and hair colours; the actor's number chooses among those that fit `person`."""
    if person is None:
        return _PEOPLE[number % len(_PEOPLE)]
    alike = [looks for looks in _PEOPLE if looks[1:3] == (person.race, person.ethnicity)]
    alike = alike or [looks for looks in _PEOPLE if looks[1] == person.race] or _PEOPLE
    skin, _, _, hairs = alike[number % len(alike)]
    return skin, person.race, person.ethnicity, hairs


@lru_cache(maxsize=128)
def cast(number: int, person: Person | None = None) -> Actor:
    """Make actor `number`, always the same one, with the sex, age and race of `person` if given.

    Otherwise even numbers are female, odd ones male, as in RAVDESS.
    """
    rng = np.random.default_rng([0xFACE, number])
    sex = person.sex if person else "Male" if number % 2 else "Female"
    skin, race, ethnicity, hairs = _looks(number, person)
    skin = np.array(skin) * rng.normal(1, 0.035) + rng.normal(0, 2.5, 3)
    age = int(rng.integers(20, 66))
    age = person.age if person else age
    hair = np.array(hairs[rng.integers(len(hairs))], float)
    if age > 42:
        hair += (np.array([150, 148, 146]) - hair) * rng.uniform(0.0, min(0.85, (age - 36) / 28))
    male = sex == "Male"
    dark = skin.mean() < 130
    broad = race in ("African American", "Asian")

    def around(mean, spread):
        return float(mean + np.clip(rng.normal(0, spread), -1.8 * spread, 1.8 * spread))

    habits = {}
    for emotion, units in PROTOTYPES.items():
        gain = np.ones(len(AUS))
        for au in units:
            gain[AUS.index(au)] = np.exp(rng.normal(0, DIALS.idiosyncrasy))
        habits[emotion] = tuple(gain)
    resting = np.zeros(len(AUS))
    for au in (1, 2, 4, 7, 12, 15):
        resting[AUS.index(au)] = DIALS.resting * rng.normal(0, 1)
    side = rng.choice([-1, 1])
    return Actor(
        number=number,
        sex=sex,
        age=age,
        race=race,
        ethnicity=ethnicity,
        skin=tuple(np.clip(skin, 30, 246)),
        hair=tuple(np.clip(hair, 12, 220)),
        style=_STYLES[sex][(number // 2) % 5],
        beard=float(rng.choice([0, 0.25, 0.9], p=[0.5, 0.3, 0.2])) if male else 0.0,
        iris=_IRISES[rng.integers(2) if race != "Caucasian" else rng.integers(len(_IRISES))],
        width=around(1.0, 0.035),
        jaw=around(1.02 if male else 0.95, 0.035),
        chin=around(1.60 if male else 1.54, 0.05),
        cranium=around(-1.42, 0.04),
        hairline=around(-0.88, 0.05),
        eye_x=around(0.448, 0.018),
        eye_w=around(0.192, 0.009),
        eye_h=around(0.122 if race == "Asian" else 0.138, 0.008),
        eye_tilt=around(-0.02 if race == "Asian" else -0.008, 0.008),
        brow_y=around(-0.275 if male else -0.30, 0.022),
        brow_thick=around(0.075 if male else 0.052, 0.008),
        brow_arch=around(0.04 if male else 0.06, 0.014),
        brow_tilt=around(0.0, 0.018),
        nose_y=around(0.60 if male else 0.57, 0.025),
        nose_w=around(0.235 if broad else 0.195, 0.014),
        nose_tip=around(0.36 if broad else 0.42, 0.03),
        mouth_y=around(0.925, 0.025),
        mouth_w=around(0.375, 0.02),
        lip_up=around(0.075 if dark else 0.055, 0.008),
        lip_low=around(0.115 if dark else 0.088, 0.010),
        resting=tuple(resting),
        habits=habits,
        strength=float(np.exp(np.clip(rng.normal(0, DIALS.expressiveness), -0.35, 0.35))),
        asymmetry=(float(side * abs(rng.normal(0, 0.08))), float(rng.normal(0, 0.10))),
        talk=around(1.0, 0.15),
        motion=around(1.0, 0.2),
        light=tuple(np.array([side * rng.uniform(0.2, 0.75), rng.uniform(-0.75, -0.3), 1.0])),
        light_colour=tuple(np.array([1.0, 1.0, 1.0]) + rng.uniform(-1, 1) * np.array([0.035, 0.0, -0.05])),
        seed=int(rng.integers(2**31)),
    )
