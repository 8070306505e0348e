"""Disk space that a study still needs: videos, masked faces, sequences and runs, without what is already there."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from lib.base.paths import in_workspace
from lib.corpora.registry import CORPORA
from lib.run.lengths import rendered, used
from lib.sequences.cutting import windows
from lib.study import Study

_FACE = 28 * 28 * 3  # bytes of a masked face
_FRAME = _FACE + 68 * 2 * 4 + 1  # bytes of a frame in an actor's file: with landmarks, and whether a face was found
_VIDEO = 3_000  # of a frame of a rendered video; measured 2,000 to 2,900
_TRAINING = 40e6  # of a run: two checkpoints, the network, its notebook; 35e6 with five layers
_READING = 50e6  # of all other notebooks' runs, the tables and the figures


def needed(study: Study) -> dict[Path, float]:
    """Bytes that `study` will still write, by folder or file.

    Faces and sequences are counted once for each variant that the study's trainings use.
    """
    full: dict[Path, float] = defaultdict(float)
    variants = study.variants
    for corpus in study.corpora:
        clips = Counter(frames for of_actor in used(study, corpus).values() for frames in of_actor)
        if study.render:
            full[study.corpora[corpus]["folder"]] = sum(clip.frames for clip in rendered(study, corpus)) * _VIDEO
        for variant in variants:
            full[variant.faces(corpus) / "faces"] = sum(frames * number for frames, number in clips.items()) * _FRAME
            count = sum(len(_windows(variant, corpus, frames)) * number for frames, number in clips.items())
            window = variant.settings["window_frames"] * _FACE
            full[variant.sequences(corpus) / "sequences.npy"] = count * window
    for cell in study.trainings:
        done = (study.training(cell) / "metrics.json").is_file()
        full[study.training(cell)] = 0 if done else _TRAINING
    full[in_workspace("papermill_runs") / study.name] += _READING
    return {place: max(0.0, size - _there(place)) for place, size in full.items()}


def _windows(study: Study, corpus: str, frames: int) -> list[tuple[int, int]]:
    names = (CORPORA[corpus].window_rule, "window_frames", "window_minimum_frames", "window_trimmed_frames")
    rule, length, minimum, trimmed = (study.settings[name] for name in names)
    return windows(frames, rule, length, minimum, trimmed)


def _there(place: Path) -> int:
    """Bytes of a file, or of all files below a folder; 0 if there is none."""
    files = [place] if place.is_file() else place.rglob("*")
    return sum(path.stat().st_size for path in files if path.is_file())
