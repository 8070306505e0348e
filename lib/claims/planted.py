"""Simulated studies with a known truth, for `lib.claims.simulation`.

A planted study has actors, sequences, seeds and networks of a known accuracy. A network is right on a sequence if a sum
of normal draws exceeds a threshold. There is one draw for the actor, the sequence, the network with this actor, the
network with this sequence, the seed, and the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.special import ndtri

from lib.base.emotions import EMOTIONS
from lib.claims.evidence import Answers, Missing
from lib.claims.rulebook import Entry

ACCURACY = 78.52  # percent, that of the paper
CHANCE = 100 / len(EMOTIONS)
TEST_SHARE = 0.22  # of the sequences, as 1,704 of 7,704
PER_ACTOR = 84  # sequences, as 7,704 of 91
TRANSFER = (24, 44)  # actors and sequences of each, as RAVDESS

#: Standard deviations of the normal draws, in units of that of the rest.
ACTOR, SEQUENCE, NETWORK_ACTOR, NETWORK_SEQUENCE = 0.45, 0.8, 0.2, 0.5

#: Mean loss (nats) of a right and of a wrong answer; exponentially distributed.
LOSS = (0.3, 2.2)
TRAIN = {"accuracy": 0.95, "loss": 0.227}
LOSS_PER_POINT = 0.022  # of accuracy, in the paper's Table 1


@dataclass(frozen=True)
class Truth:
    """The known truth of a planted study.

    Attributes
    ----------
    actors, seeds
        Number of actors, number of seeds.
    spread
        Standard deviation over seeds of a network's accuracy, in points.
    networks
        Accuracy in percent by layers, or by layers, learning rate and epochs; `ACCURACY` if not given.
    recalls
        Recall in percent by emotion; the network's accuracy if not given.
    confused
        (true, taken for, rival, lead): of the wrong predictions for the first emotion, 40 % plus half the lead are the
        second, 40 % minus half the lead the third. The lead is a fraction of these wrong predictions.
    signal
        What the accuracy comes from. ``face``: the face. ``actor``: only the actor, so that accuracy is at chance for
        new actors. ``time``: only the order of the frames, so that accuracy is at chance for shuffled frames.
    """

    actors: int
    spread: float
    seeds: int = 5
    networks: dict = field(default_factory=dict)
    recalls: dict[str, float] = field(default_factory=dict)
    confused: tuple[str, str, str, float] | None = None
    signal: str = "face"


@dataclass(frozen=True)
class Training:
    """A planted training, used in place of `lib.study.cells.Cell`."""

    layers: int
    row: tuple | None
    frame_order: str
    protocol: str
    seed: int


class Planted:
    """A planted study, with the methods of `lib.claims.evidence.Evidence`."""

    def __init__(self, truth: Truth, rng: np.random.Generator):
        self.truth, self._rng = truth, rng
        self._kept: dict = {}

    def trainings(self, entry: Entry, layers: int, frame_order: str = "filmed") -> list[Training]:
        """Trainings of the network under every seed; only one if the entry's row needs one."""
        row = None if entry.row is None else tuple(entry.row.values())
        seeds = 1 if row is not None and entry.seeds == 1 else self.truth.seeds
        if seeds < entry.seeds:
            raise Missing(f"it takes {entry.seeds} seeds, the study has {seeds}")
        return [Training(layers, row, frame_order, entry.protocol, seed) for seed in range(seeds)]

    def repeated(self, entry: Entry) -> list[Training]:
        """Trainings under all seeds, for the spread."""
        return self.trainings(replace(entry, row=None, seeds=3), entry.networks[0])

    def seed(self, training: Training) -> int:
        """The seed of a training."""
        return training.seed

    def name(self, training: Training) -> str:
        """A training's name."""
        return f"{training.layers}-layer"

    def compared(self, trainings: Sequence[Training], part: str) -> list[Answers]:
        """Predictions of several trainings for the same sequences."""
        return [self.answers(training, part) for training in trainings]

    def running(self, training: Training, measure: str) -> float:
        """A running mean over the training part."""
        points = self._once(("running", training), lambda: self._rng.normal(0, self.truth.spread))
        return TRAIN[measure] + points * (0.01 if measure == "accuracy" else LOSS_PER_POINT)

    def answers(self, training: Training, part: str) -> Answers:
        """Predictions of a training for a part."""
        return self._once(("answers", training, part), lambda: self._answers(training, part))

    def accuracy(self, training: Training) -> float:
        """The planted accuracy in percent."""
        truth = self.truth
        unseen = truth.signal == "actor" and training.protocol == "actor"
        if unseen or (truth.signal == "time" and training.frame_order == "shuffled"):
            return CHANCE
        key = training.layers if training.row is None else (training.layers, *training.row)
        return truth.networks.get(key, ACCURACY)

    def _once(self, key, draw):
        if key not in self._kept:
            self._kept[key] = draw()
        return self._kept[key]

    @cached_property
    def _corpora(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Actor, emotion and easiness of every sequence of both corpora."""
        corpora = {}
        for corpus, (actors, each) in (("first", (self.truth.actors, PER_ACTOR)), ("transfer", TRANSFER)):
            actor, emotion = np.repeat(np.arange(actors), each), np.arange(actors * each) % len(EMOTIONS)
            easy = self._rng.normal(0, ACTOR, actors)[actor] + self._rng.normal(0, SEQUENCE, len(actor))
            corpora[corpus] = actor, emotion, easy
        return corpora

    def _tested(self, part: str, protocol: str, seed: int) -> np.ndarray:
        """Indices of the sequences of a part: random sequences, or all those of random actors."""
        actor = self._corpora["transfer" if part == "transfer" else "first"][0]
        if part == "transfer":
            return np.arange(len(actor))
        if protocol == "actor":
            chosen = self._rng.permutation(self.truth.actors)[: round(TEST_SHARE * self.truth.actors)]
            return np.flatnonzero(np.isin(actor, chosen))
        return np.sort(self._rng.permutation(len(actor))[: round(TEST_SHARE * len(actor))])

    def _answers(self, training: Training, part: str) -> Answers:
        corpus = "transfer" if part == "transfer" else "first"
        actor, emotion, easy = self._corpora[corpus]
        places = self._once(
            ("tested", part, training.protocol, training.seed),
            lambda: self._tested(part, training.protocol, training.seed),
        )
        network = (corpus, training.layers, training.row, training.frame_order)
        own = self._once(
            network,
            lambda: (
                self._rng.normal(0, NETWORK_ACTOR, actor.max() + 1)[actor]
                + self._rng.normal(0, NETWORK_SEQUENCE, len(actor))
            ),
        )
        accuracy = self.accuracy(training)
        recalls = [self.truth.recalls.get(name, accuracy) if part != "transfer" else accuracy for name in EMOTIONS]
        rest = ACTOR**2 + SEQUENCE**2 + NETWORK_ACTOR**2 + NETWORK_SEQUENCE**2 + 1
        middle = ndtri(accuracy / 100)
        slope = np.exp(-(middle**2) / 2) / np.sqrt(2 * np.pi)
        share = self.truth.spread / 100 / slope  # of the seed, in units of the whole standard deviation
        whole = np.sqrt(rest / (1 - share**2))
        seed = self._once(("seed", training), lambda: self._rng.normal()) * share * whole
        threshold = ndtri(np.array(recalls) / 100) * whole
        actor, emotion = actor[places], emotion[places]
        latent = threshold[emotion] + seed + easy[places] + own[places] + self._rng.normal(size=len(places))
        right = latent > 0
        predicted = np.where(right, emotion, self._wrong(emotion))
        loss = self._rng.exponential(size=len(places)) * np.where(right, *LOSS)
        return Answers(places, actor, emotion, predicted, loss)

    def _wrong(self, emotion: np.ndarray) -> np.ndarray:
        """A wrong emotion for each sequence."""
        wrong = (emotion + self._rng.integers(1, len(EMOTIONS), len(emotion))) % len(EMOTIONS)
        if self.truth.confused is None:
            return wrong
        names, lead = self.truth.confused[:3], self.truth.confused[3]
        true, first, rival = (EMOTIONS.index(name) for name in names)
        draw = self._rng.random(len(emotion))
        wrong = np.where((emotion == true) & (draw < 0.8 - lead / 2), rival, wrong)
        return np.where((emotion == true) & (draw < 0.4 + lead / 2), first, wrong)
