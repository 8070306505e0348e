"""Intervals over actors and seeds: jackknife over actors, variance between seeds, Student's t.

A result depends on the actors who were filmed, and on the seed (split, initial weights, order, dropout). The variance
of a mean over seeds is estimated as the sum of two parts:

- actors: the jackknife that leaves out one actor at a time, with all sequences of that actor under every seed. Clips of
  one actor are similar, so actors, not clips, are the independent units;
- seeds: the sample variance of the seeds' figures, divided by their number.

The variation between single sequences is in both parts, so the intervals are rather too wide. The interval is the
figure plus or minus the standard error times Student's t at 97.5 %, with Satterthwaite's degrees of freedom for a sum
of two variances: with few actors or few seeds it is wider. How often it covers a known truth is computed by
`lib.claims.simulation` and shown in notebook 12.

Sources: Efron & Stein 1981, The jackknife estimate of variance, Annals of Statistics 9(3); Satterthwaite 1946, An
approximate distribution of estimates of variance components, Biometrics Bulletin 2(6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

#: Computes figures, shape (..., figures), from totals, shape (..., columns).
Figure = Callable[[np.ndarray], np.ndarray]

#: Standard deviation over seeds, and number of seeds.
Spread = tuple[float | np.ndarray, int]

#: Decimals kept of results, so that rounding errors decide nothing.
DECIMALS = 9


@dataclass(frozen=True)
class Estimate:
    """Figures, each the mean over seeds, with what is needed for intervals.

    Attributes
    ----------
    value, variance, df
        float64 (figures,); variance and degrees of freedom are NaN where an interval cannot be given.
    by_seed
        float64 (seeds, figures).
    choices
        Number of estimates from which this one was chosen as the best. The interval is then widened to hold for all of
        them together (Bonferroni), since the best of several equal ones looks better than it is.
    """

    value: np.ndarray
    variance: np.ndarray
    df: np.ndarray
    by_seed: np.ndarray
    choices: int = 1

    @property
    def half(self) -> np.ndarray:
        """Half the width of the 95 % interval, float64 (figures,)."""
        factor = stdtrit(np.where(self.variance > 0, self.df, 1.0), 1 - 0.025 / self.choices)
        return np.round(np.sqrt(self.variance) * factor, DECIMALS)

    @property
    def low(self) -> np.ndarray:
        """Lower end of the 95 % interval, float64 (figures,)."""
        return np.round(self.value - self.half, DECIMALS)

    @property
    def high(self) -> np.ndarray:
        """Upper end of the 95 % interval, float64 (figures,)."""
        return np.round(self.value + self.half, DECIMALS)

    @property
    def p(self) -> np.ndarray:
        """Two-sided p of the t test that a figure is 0, float64 (figures,); 1 where the figure is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(self.value) / np.sqrt(self.variance)
        return np.where(self.value == 0, 1.0, 2 * stdtr(np.where(self.variance > 0, self.df, 1.0), -t))


def estimate(
    counts: np.ndarray,
    figure: Figure,
    *,
    over_actors: bool = True,
    spread: Spread | None = None,
) -> Estimate:
    """Estimate figures as the mean over seeds.

    Parameters
    ----------
    counts
        float64 (seeds, actors, columns): sums over sequences, e.g. right answers and sequences.
    figure
        Computes the figures from the totals of one seed.
    over_actors
        False if the figure is not a sum over actors, as the running accuracy of a training: then the interval is over
        seeds only, and there is one row per seed in place of the actors.
    spread
        For one training: the standard deviation over the seeds of comparable trainings, and the number of those seeds.
        Without it, the interval of a single training is over actors only.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        by_seed, left_out = _figures(counts[:, counts.any(axis=(0, 2))], figure)
        parts = [_jackknife(left_out)] if over_actors else []
        parts += _between_seeds(by_seed, spread)
    return _estimate(by_seed.mean(axis=0), parts, by_seed)


def gap(first: np.ndarray, second: np.ndarray, figure: Figure) -> Estimate:
    """Estimate the figures of `first` minus those of `second`; their seeds are independent, their actors the same.

    Parameters
    ----------
    first, second
        Counts (seeds, actors, columns) of the same actors, from one call of `count`. If only one of them has several
        seeds, the same spread is assumed for the other.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        (by_first, without), (by_second, other) = (_figures(counts, figure) for counts in (first, second))
        spreads = [(side.std(axis=0, ddof=1), len(side)) if len(side) > 1 else None for side in (by_first, by_second)]
        parts = [_jackknife(without - other)]
        parts += _between_seeds(by_first, spreads[1]) + _between_seeds(by_second, spreads[0])
    return _estimate(by_first.mean(axis=0) - by_second.mean(axis=0), parts, by_first[:0])


#: A variance and its degrees of freedom.
Part = tuple[np.ndarray, int]


def _figures(counts: np.ndarray, figure: Figure) -> tuple[np.ndarray, np.ndarray]:
    """Figures (seeds, figures), and their means over seeds without one actor each (actors, figures)."""
    totals = counts.sum(axis=1)
    return figure(totals), figure(totals[:, None] - counts).mean(axis=0)


def _between_seeds(by_seed: np.ndarray, spread: Spread | None) -> list[Part]:
    if len(by_seed) > 1:
        return [(by_seed.var(axis=0, ddof=1) / len(by_seed), len(by_seed) - 1)]
    return [] if spread is None else [(np.square(spread[0]) + 0 * by_seed[0], spread[1] - 1)]


def _estimate(value: np.ndarray, parts: list[Part], by_seed: np.ndarray) -> Estimate:
    variance = sum(part for part, _ in parts) if parts else np.full(value.shape, np.nan)
    variance = np.where(variance < 1e-24, 0.0, variance)  # square points: rounding errors
    with np.errstate(divide="ignore", invalid="ignore"):
        df = variance**2 / sum(part**2 / max(own, 1) for part, own in parts) if parts else variance
    return Estimate(np.round(value, DECIMALS), variance, df, by_seed)


def _jackknife(left_out: np.ndarray) -> Part:
    """Variance and degrees of freedom from figures that leave out one actor each, float64 (actors, figures)."""
    actors = len(left_out)
    if actors < 2:
        return np.full(left_out.shape[1:], np.nan), 1
    return (actors - 1) / actors * np.square(left_out - left_out.mean(axis=0)).sum(axis=0), actors - 1


def share(totals: np.ndarray) -> np.ndarray:
    """The figure of two columns: the first total divided by the second."""
    return totals[..., :1] / totals[..., 1:]


def count(actors: list[np.ndarray], columns: list[np.ndarray]) -> np.ndarray:
    """Add up columns by actor, for each seed.

    Parameters
    ----------
    actors
        One array (sequences,) per seed: the actor.
    columns
        One array (sequences, columns) per seed.

    Returns
    -------
    numpy.ndarray
        float64 (seeds, actors, columns), the same actors for all seeds; 0 for an actor whom a seed does not test.
    """
    names = np.unique(np.concatenate(actors)) if actors else np.array([])
    counts = np.zeros((len(actors), len(names), columns[0].shape[1]))
    for by_actor, who, what in zip(counts, actors, columns, strict=True):
        place = np.searchsorted(names, who)
        for column in range(what.shape[1]):
            by_actor[:, column] = np.bincount(place, what[:, column], minlength=len(names))
    return counts
