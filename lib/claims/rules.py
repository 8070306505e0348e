"""The rules of ``paper/verdicts.yaml``, which give a verdict from trainings.

There are two tests. *Margin*: our value differs from the paper's by at most the margin, and half its 95 % interval is
at most the margin. *Lead*: one value exceeds others, and the 95 % interval of each lead is above 0. Of several leads
all must pass, so a false claim passes no more often than with a single lead.

Every interval is over actors and seeds (`lib.measures.intervals`). How often the rules err: `lib.claims.simulation`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from lib.base.emotions import EMOTIONS
from lib.claims.evidence import Answers, Evidence, Missing, counted
from lib.claims.rulebook import Entry, rows_of_table1
from lib.measures.intervals import Estimate, Spread, estimate, share
from lib.study.choices import BLOCKS

CODES = range(len(EMOTIONS))


@dataclass(frozen=True)
class Finding:
    """The result of a rule for a claim.

    Attributes
    ----------
    ours, low, high
        Percent, nats, or a lead in points, with the 95 % interval.
    verdict
        True for reproduced, False for not reproduced, None if the interval is too wide for either.
    close
        Whether it is reproduced within half the margin.
    reason
        The result as text.
    """

    ours: float
    low: float
    high: float
    verdict: bool | None
    reason: str
    close: bool = False


# Measures: columns to sum over sequences, and the figure from their totals


def _accuracy(answers: Answers, _: Entry) -> np.ndarray:
    right = answers.predicted == answers.emotion
    return np.column_stack([100 * right, np.ones(len(right))])


def _recall(answers: Answers, entry: Entry) -> np.ndarray:
    shown = answers.emotion == EMOTIONS.index(entry.emotions[0])
    return np.column_stack([100 * (shown & (answers.predicted == answers.emotion)), shown])


def _precision(answers: Answers, entry: Entry) -> np.ndarray:
    named = answers.predicted == EMOTIONS.index(entry.emotions[0])
    return np.column_stack([100 * (named & (answers.predicted == answers.emotion)), named])


def _loss(answers: Answers, _: Entry) -> np.ndarray:
    return np.column_stack([answers.loss, np.ones(len(answers.loss))])


MEASURES = {"accuracy": _accuracy, "recall": _recall, "precision": _precision, "loss": _loss}


def _measured(evidence: Evidence, entry: Entry, cells: Sequence, spread: Spread | None = None) -> Estimate:
    """The entry's measure for one network, the mean over its trainings."""
    if entry.part == "train":  # a running mean over all actors: the only column is the figure
        scale = 100 if entry.measure == "accuracy" else 1
        counts = np.array([[[scale * evidence.running(cell, entry.measure)]] for cell in cells])
        return estimate(counts, lambda totals: totals, over_actors=False, spread=spread)
    answers = [evidence.answers(cell, entry.part) for cell in cells]
    counts = counted(answers, [MEASURES[entry.measure](seed, entry) for seed in answers])
    return estimate(counts, share, spread=spread)


# Which trainings


def _chosen(evidence: Evidence, entry: Entry) -> tuple[Entry, Sequence, int]:
    """The entry with its network's layers, that network's trainings, and the number of networks it was chosen from.

    ``best_test`` and ``best_validation`` are the best of three networks by the accuracy on that part.
    """
    (network,) = entry.networks
    if not isinstance(network, str):
        return entry, evidence.trainings(entry, network), 1
    part = network.removeprefix("best_")
    cells = {layers: evidence.trainings(entry, layers) for layers in BLOCKS}
    by_part = replace(entry, measure="accuracy", part=part)
    best = max(cells, key=lambda layers: _measured(evidence, by_part, cells[layers]).value[0])
    return replace(entry, networks=[best]), cells[best], len(cells)


def _paired(evidence: Evidence, entry: Entry, rivals: list[Sequence]) -> list[list[Answers]]:
    """Predictions of each rival's trainings for the same sequences, for each seed that all rivals have."""
    by_seed = [{evidence.seed(cell): cell for cell in cells} for cells in rivals]
    seeds = [seed for seed in by_seed[0] if all(seed in cells for cells in by_seed)]
    if len(seeds) < entry.seeds:
        raise Missing(f"it takes {entry.seeds} seeds of all that are compared, the study has {len(seeds)}")
    return [evidence.compared([cells[seed] for cells in by_seed], entry.part) for seed in seeds]


# Tests


def _by_margin(entry: Entry, estimated: Estimate, name: str, distance: Callable[[np.ndarray], np.ndarray]) -> Finding:
    """Judge by the distance from the paper's value; the interval decides whether it is known well enough."""
    value, low, high = (float(end[0]) for end in (estimated.value, estimated.low, estimated.high))
    if np.isnan(low):
        raise Missing("there are too few actors or seeds for an interval")
    off, half = float(distance(np.array(value))), float(estimated.half[0])
    ends = distance(np.array([low, high]))
    astride = bool((low <= entry.paper <= high) or (ends <= entry.margin).any())
    verdict = off <= entry.margin if half <= entry.margin else None if astride else False
    unit = "nats" if entry.measure == "loss" else "%"
    gap = round(abs(value - entry.paper), 9)
    outcome = "too wide to tell" if verdict is None else f"{'at most' if verdict else 'more than'} {entry.margin:g}"
    reason = f"{name}: {_as_text(estimated, unit, entry)}, {gap:.2f} {'below' if value < entry.paper else 'above'}"
    close = verdict is True and max(off, half) <= entry.margin / 2
    return Finding(value, low, high, verdict, f"{reason} the paper's {entry.paper:g} {unit}: {outcome}", close)


def _by_lead(entry: Entry, estimated: Estimate, description: str) -> Finding:
    """Judge whether the intervals of all leads are above 0; the smallest lead and the lowest ends are reported."""
    if np.isnan(estimated.low).any():
        raise Missing("there are too few actors for the interval of a lead")
    least = int(estimated.value.argmin())
    low, high = float(estimated.low.min()), float(estimated.high.min())
    place = "lies above 0" if low > 0 else "lies below 0" if high < 0 else "holds 0"
    one = Estimate(
        *(array[..., [least]] for array in (estimated.value, estimated.variance, estimated.df, estimated.by_seed))
    )
    reason = f"{description}; least lead {_as_text(one, 'points', entry)}: the interval {place}"
    return Finding(float(estimated.value[least]), low, high, low > 0, reason)


def _as_text(estimated: Estimate, unit: str, entry: Entry) -> str:
    """The figure, its interval, and the trainings it is computed from."""
    seeds = estimated.by_seed[:, 0]
    basis = "one training" if len(seeds) == 1 else f"{len(seeds)} seeds from {seeds.min():.2f} to {seeds.max():.2f}"
    ends = f"{estimated.low[0]:.2f} to {estimated.high[0]:.2f}"
    return f"{estimated.value[0]:.2f} {unit} (95 % interval {ends}, {basis}, protocol {entry.protocol})"


# Rules


def value(evidence: Evidence, entry: Entry) -> Finding:
    """Our value differs from the paper's by at most the margin, and its interval is narrow enough."""
    return _margin(evidence, entry, lambda ours: np.round(np.abs(ours - entry.paper), 9))


def below(evidence: Evidence, entry: Entry) -> Finding:
    """Our value is at most the margin below the paper's, and its interval is narrow enough."""
    return _margin(evidence, entry, lambda ours: np.round(np.maximum(entry.paper - ours, 0), 9))


def _margin(evidence: Evidence, entry: Entry, distance: Callable[[np.ndarray], np.ndarray]) -> Finding:
    entry, cells, choices = _chosen(evidence, entry)
    spread = None
    if len(cells) < 3:
        cells = cells[:1]
        repeated = evidence.repeated(entry)
        by_seed = _measured(evidence, entry, repeated).by_seed
        spread = (by_seed.std(axis=0, ddof=1), len(repeated))
    estimated = replace(_measured(evidence, entry, cells, spread), choices=choices)
    if np.isnan(estimated.value).any():
        raise Missing(
            f"in some seed no sequence {'is called' if entry.measure == 'precision' else 'shows'} the emotion"
        )
    return _by_margin(entry, estimated, evidence.name(cells[0]), distance)


def order(evidence: Evidence, entry: Entry) -> Finding:
    """Each network is better than the next on the same sequences; the intervals are over actors and seeds."""
    orders = entry.frame_orders or ["filmed"]
    rivals = [(layers, frames) for layers in entry.networks for frames in orders]
    seeds = _paired(evidence, entry, [evidence.trainings(entry, *rival) for rival in rivals])
    names = [f"{layers}-layer" + (f" on {frames} frames" if entry.frame_orders else "") for layers, frames in rivals]
    estimated, shares = _leads(seeds, list(pairwise(range(len(rivals)))))
    return _by_lead(
        entry, estimated, ", ".join(f"{name} {share:.2f} %" for name, share in zip(names, shares, strict=True))
    )


def best_cell(evidence: Evidence, entry: Entry) -> Finding:
    """The entry's row is better than every other row of Table 1, on the same sequences."""
    rows = sorted(rows_of_table1(), key=lambda row: row != (entry.networks[0], entry.row))
    rivals = [evidence.trainings(replace(entry, row=row), layers) for layers, row in rows]
    estimated, shares = _leads(_paired(evidence, entry, rivals), [(0, other) for other in range(1, len(rivals))])
    names = [evidence.name(cells[0]) for cells in rivals]
    best = int(np.argmax(shares))
    description = f"the best is {names[best]} with {shares[best]:.2f} %"
    return _by_lead(entry, estimated, description + (f", {names[0]} has {shares[0]:.2f} %" if best else ""))


def _leads(seeds: list[list[Answers]], pairs: list[tuple[int, int]]) -> tuple[Estimate, np.ndarray]:
    """Leads in accuracy of the first of each pair over the second, and every rival's accuracy in percent."""
    columns = [
        np.column_stack(
            [*(100 * (rival.predicted == rival.emotion) for rival in rivals), np.ones(len(rivals[0].actor))]
        )
        for rivals in seeds
    ]
    counts = counted([rivals[0] for rivals in seeds], columns)
    first, second = (list(side) for side in zip(*pairs, strict=True))
    estimated = estimate(counts, lambda t: (t[..., first] - t[..., second]) / t[..., -1:])
    totals = counts.sum(axis=1)
    return estimated, (totals[:, :-1] / totals[:, -1:]).mean(axis=0)


def hardest(evidence: Evidence, entry: Entry) -> Finding:
    """The recalls of the entry's emotions are lower than those of all others."""
    return _by_recall(evidence, entry, -1)


def easiest(evidence: Evidence, entry: Entry) -> Finding:
    """The recalls of the entry's emotions are higher than those of all others."""
    return _by_recall(evidence, entry, 1)


def _by_recall(evidence: Evidence, entry: Entry, sign: int) -> Finding:
    answers = [evidence.answers(cell, entry.part) for cell in evidence.trainings(entry, entry.networks[0])]
    columns = []
    for seed in answers:
        shown = seed.emotion[:, None] == np.array(CODES)
        columns.append(np.hstack([100 * (shown & (seed.predicted == seed.emotion)[:, None]), shown]))
    counts = counted(answers, columns)
    seen = counts.sum(axis=1)[:, len(CODES) :].all(axis=0)
    named = [EMOTIONS.index(emotion) for emotion in entry.emotions]
    others = [code for code in CODES if seen[code] and code not in named]
    if not seen[named].all() or not others:
        raise Missing("no sequence shows the emotion")
    first, second = (list(side) for side in zip(*((n, o) for n in named for o in others), strict=True))

    def recalls(totals: np.ndarray) -> np.ndarray:
        right, shown = np.split(totals, 2, axis=-1)
        return right / shown

    estimated = estimate(counts, lambda t: sign * (recalls(t)[..., first] - recalls(t)[..., second]))
    with np.errstate(invalid="ignore"):
        mean = recalls(counts.sum(axis=1)).mean(axis=0)
    ordered = sorted((code for code in CODES if seen[code]), key=lambda code: -sign * mean[code])
    return _by_lead(entry, estimated, "recalls " + ", ".join(f"{EMOTIONS[code]} {mean[code]:.1f}" for code in ordered))


def confusion(evidence: Evidence, entry: Entry) -> Finding:
    """The entry's [true, taken for] is the most frequent confusion, of all or of the true emotion."""
    answers = [evidence.answers(cell, entry.part) for cell in evidence.trainings(entry, entry.networks[0])]
    true, taken = (EMOTIONS.index(emotion) for emotion in entry.emotions)
    pairs = [(a, b) for a in (CODES if entry.among == "all" else [true]) for b in CODES if a != b]
    columns = []
    for seed in answers:
        cells = [(seed.emotion == a) & (seed.predicted == b) for a, b in pairs]
        whole = np.ones(len(seed.actor)) if entry.among == "all" else seed.emotion == true
        columns.append(np.column_stack([*(100 * cell for cell in cells), whole]))
    counts = counted(answers, columns)
    if not counts.sum(axis=1)[:, -1].all():
        raise Missing("no sequence shows the emotion")
    named = pairs.index((true, taken))
    others = [place for place in range(len(pairs)) if place != named]
    estimated = estimate(counts, lambda t: (t[..., [named]] - t[..., others]) / t[..., -1:])
    totals = counts.sum(axis=1)
    shares = (totals[:, :-1] / totals[:, -1:]).mean(axis=0)
    first = int(np.argmax(shares))
    description = f"most often {_confused(pairs[first])}, {shares[first]:.2f} %"
    return _by_lead(
        entry, estimated, description + (f", {_confused(pairs[named])} {shares[named]:.2f} %" if first != named else "")
    )


def _confused(pair: tuple[int, int]) -> str:
    return " for ".join(EMOTIONS[code] for code in pair)


def untestable(evidence: Evidence, entry: Entry) -> Finding:
    """No training can settle it."""
    raise Missing(entry.why)


RULES = {rule.__name__: rule for rule in (value, below, order, hardest, easiest, confusion, best_cell, untestable)}
