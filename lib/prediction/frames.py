"""Resample a video to the corpora's frame rate and cut it into windows, as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from lib.corpora.corpus import FPS
from lib.sequences.cutting import windows

T = TypeVar("T")

#: The longest step between two frames, seconds: times in a damaged file may jump by hours.
LONGEST_STEP = 1.0


def at_rate(timed: Iterable[tuple[float, T]], rate: float = FPS) -> Iterator[T]:
    """Resample frames: at each time ``k / rate``, yield the nearest frame.

    A video at `rate` is unchanged. Frames of a slower one are repeated (the same object), frames of a faster one are
    skipped; with an uneven rate both happen.

    Parameters
    ----------
    timed
        Pairs of seconds and frame. Time starts at the first frame. A step backwards is replaced by the step before it,
        a step over `LONGEST_STEP` by `LONGEST_STEP`.
    rate
        Frames per second of the result.
    """
    count, now, before, step = 0, 0.0, 0.0, 1 / rate
    latest: list[T] = []  # one frame; its end is known when the next one comes
    for seconds, frame in timed:
        if latest:
            between = seconds - before
            step = min(between, LONGEST_STEP) if between > 0 else step
            while count / rate < now + step / 2:
                yield latest[0]
                count += 1
            now += step
        latest, before = [frame], seconds
    while latest and count / rate < now + step / 2:
        yield latest[0]
        count += 1


class Span(NamedTuple):
    """Consecutive frames of a video: a window for the network, or frames that the rule leaves out.

    Attributes
    ----------
    first
        Number of the first frame.
    frames
        One object per frame.
    left_out
        Why these frames are in no window; empty for a window.
    """

    first: int
    frames: list
    left_out: str


def spans(frames: Iterable[T], length: int, minimum: int, trimmed: int) -> Iterator[Span]:
    """Cut a stream into windows by the rule ``windows`` of `lib.sequences.cutting`, and the frames it leaves out.

    Every frame is in one span. At most `trimmed` + 1 frames are kept in memory.

    Parameters
    ----------
    frames
        One object per frame.
    length, minimum, trimmed
        See `lib.sequences.cutting.windows`.
    """
    waiting: list[T] = []
    first, is_long = 0, False
    for frame in frames:
        waiting.append(frame)
        is_long = is_long or len(waiting) > trimmed
        while is_long and len(waiting) >= length:
            yield Span(first, waiting[:length], "")
            first, waiting = first + length, waiting[length:]
    kept = windows(len(waiting), "first", length, minimum, trimmed)
    end = kept[0][1] if kept else 0
    if kept:
        yield Span(first, waiting[:end], "")
    if len(waiting) > end:
        reason = (
            f"left out: a clip of up to {trimmed} frames gives one window"
            if kept
            else (f"left out: under {minimum} frames")
        )
        yield Span(first + end, waiting[end:], reason)
