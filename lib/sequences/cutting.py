"""From masked faces to sequences of 75 frames: windows, padding by Eq. 1, one memory-mapped array."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from lib.base.arrays import map_npy
from lib.base.checksums import verified
from lib.base.emotions import EMOTIONS
from lib.base.files import write_problems, written_atomically
from lib.base.paths import in_workspace
from lib.base.problems import InputProblem
from lib.base.tables import pd
from lib.sequences.actor_file import MASK_AGAIN
from lib.sequences.actor_file import read as read_actor
from lib.study.choices import FRAME_ORDERS, WINDOW_RULES

#: Columns of sequences.csv on the sequence; those of `FROM_CLIPS` follow.
SEQUENCE_COLUMNS = ["sequence", "clip", "window", "first_frame", "frames", "padded", "frames_with_face", "label"]
#: Table of the windows that are left out, next to sequences.csv.
LEFT_OUT = "problems_sequences.csv"
#: Columns of sequences.csv taken from clips.csv.
FROM_CLIPS = ["actor", "emotion", "sentence", "level", "sex", "age"]


def windows(frames: int, rule: str, length: int = 75, minimum: int = 35, trimmed: int = 110) -> list[tuple[int, int]]:
    """Cut a clip into windows.

    Parameters
    ----------
    frames
        Frames of the clip.
    rule
        ``windows``: one window for a clip of up to `trimmed` frames, else consecutive windows, of which the last one
        must have `minimum` frames (our reading of III-B).
        ``split_at_150``: the paper's literal wording: two windows from 150 frames on, else one.
        ``first``, ``middle``, ``last``: one window per clip.
    length, minimum, trimmed
        Frames of a full window; the fewest frames of a window; the most frames of a clip that is trimmed to one window.

    Returns
    -------
    list of (first frame, frames)
        Empty for a clip under `minimum` frames.
    """
    if rule not in WINDOW_RULES:
        raise ValueError(f"unknown window rule {rule!r}; known are {', '.join(WINDOW_RULES)}")
    if frames < minimum:
        return []
    kept = min(frames, length)
    if rule == "windows" and frames > trimmed:
        starts = range(0, frames, length)
        return [(s, min(length, frames - s)) for s in starts if min(length, frames - s) >= minimum]
    if rule == "split_at_150" and frames >= 2 * length:
        return [(0, length), (length, length)]
    start = {"middle": (frames - kept) // 2, "last": frames - kept}.get(rule, 0)
    return [(start, kept)]


def pad(faces: np.ndarray, length: int = 75) -> np.ndarray:
    """Repeat the last frame until there are `length` (the paper's Eq. 1: n = 75 - n_f repetitions).

    Parameters
    ----------
    faces
        uint8, shape (frames, height, width, 3), 1 to `length` frames.
    """
    missing = length - len(faces)
    if not len(faces) or missing < 0:
        raise ValueError(f"a window of {len(faces)} frames cannot be padded to {length}")
    return np.concatenate([faces, np.repeat(faces[-1:], missing, axis=0)])


def sequences_of(
    clips: pd.DataFrame, faces: pd.DataFrame, rule: str, length: int, minimum: int, trimmed: int
) -> pd.DataFrame:
    """List the sequences that `rule` cuts, in the order of `clips`; a clip without a face gives none.

    Parameters
    ----------
    clips, faces
        The tables of clips.csv and faces.csv.

    Returns
    -------
    pandas.DataFrame
        One row per sequence, with :data:`SEQUENCE_COLUMNS` (``frames_with_face`` is that of the whole clip) and
        :data:`FROM_CLIPS`.
    """
    usable = faces[faces["frames_with_face"] > 0][["clip", "frames", "frames_with_face"]]
    rows: list[dict[str, Any]] = []
    for clip in clips.merge(usable, on="clip", validate="one_to_one").to_dict("records"):
        for window, (first, kept) in enumerate(windows(clip["frames"], rule, length, minimum, trimmed)):
            new = {"window": window, "first_frame": first, "frames": kept, "padded": length - kept}
            new["label"] = EMOTIONS.index(clip["emotion"])
            rows.append({"sequence": len(rows), **clip, **new})
    return pd.DataFrame(rows, columns=SEQUENCE_COLUMNS + FROM_CLIPS)


def with_faces(table: pd.DataFrame, faces_folder: Path, share: float) -> tuple[pd.DataFrame, list[InputProblem]]:
    """Leave out sequences that show a face in less than `share` of their frames; return the others and a list of these.

    Raises
    ------
    lib.base.problems.InputProblem
        If an actor's file is missing or damaged, or lacks frames of a clip.
    """
    keep, problems = np.ones(len(table), dtype=bool), []
    for _, row, success in stored_frames(table, faces_folder, "success"):
        if success.mean() < share:
            keep[row.Index] = False
            last = row.first_frame + row.frames - 1
            what = f"shows a face in {success.sum()} of the {row.frames} frames {row.first_frame} to {last}"
            remedy = "look at the clip; window_face_share in the study's file says how many it takes"
            problems.append(InputProblem(row.clip, f"{what}, so this window is left out", remedy))
    kept = table[keep].reset_index(drop=True)
    return kept.assign(sequence=np.arange(len(kept))), problems


def stored_frames(table: pd.DataFrame, faces_folder: Path, *names: str) -> Iterator[tuple]:
    """Per row of `table`, actor by actor: the actor's file, the row, its frames of each array; raises as `cut` does."""
    for actor, rows in table.groupby("actor", sort=True):
        path = faces_folder / f"{actor}.npz"
        stored, spans = read_actor(path, *names)
        for row in rows.itertuples():
            start, end = spans.get(row.clip, (0, 0))
            start += row.first_frame
            frames = [array[start : min(end, start + row.frames)] for array in stored]
            if any(len(of_array) != row.frames for of_array in frames):
                raise InputProblem(path, f"does not hold the frames of {row.clip} that faces.csv lists", MASK_AGAIN)
            yield path, row, *frames


def cut(clips: pd.DataFrame, faces: pd.DataFrame, faces_folder: Path, array: Path, settings: dict[str, Any],
        rule: str) -> pd.DataFrame:  # fmt: skip
    """Write all sequences of a corpus as one array; return the table of them.

    Parameters
    ----------
    clips, faces
        The tables of clips.csv and faces.csv.
    faces_folder
        Folder of the actors' masked faces, ``<actor>.npz``.
    array
        Path of the array to write, ``.npy``: uint8, shape (sequences, 75, 28, 28, 3), RGB.
    settings
        ``window_frames``, ``window_minimum_frames``, ``window_trimmed_frames`` and ``window_face_share``. Windows with
        a smaller share of frames with a face are left out and listed in :data:`LEFT_OUT`, next to the array.
    rule
        One of `lib.study.choices.WINDOW_RULES`.

    Raises
    ------
    lib.base.problems.InputProblem
        If no sequence is left, the tables list different clips, or an actor's file is missing or damaged.
    """
    length = settings["window_frames"]
    limits = settings["window_minimum_frames"], settings["window_trimmed_frames"]
    if apart := sorted(set(clips["clip"]) ^ set(faces["clip"])):
        problem = f"and clips.csv do not list the same clips: {len(apart)} are in one of them only, {apart[0]} first"
        raise InputProblem(faces_folder.parent / "faces.csv", problem, "delete faces.csv and run again")
    table = sequences_of(clips, faces, rule, length, *limits)
    table, left_out = with_faces(table, faces_folder, settings["window_face_share"])
    if table.empty:
        raise InputProblem(
            faces_folder,
            "holds no clip that gives a sequence",
            "see problems_clips.csv and faces.csv next to it",
        )
    with written_atomically(array) as temporary:
        sequences: np.memmap | None = None
        for path, row, window in stored_frames(table, faces_folder, "faces"):
            if sequences is None:
                shape = (len(table), length, *window.shape[1:])
                sequences = open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
                _take_space(temporary)
            if window.shape[1:] != sequences.shape[2:]:
                raise InputProblem(path, "holds faces of another size than the other actors' files", MASK_AGAIN)
            sequences[row.sequence] = pad(window, length)
        if sequences is not None:
            sequences.flush()
        del sequences
    write_problems(left_out, array.with_name(LEFT_OUT))
    return table


def _take_space(path: Path) -> None:
    """Reserve the disk space of a new sparse file: on a full disk, writing to its memory map would kill the process."""
    if hasattr(os, "posix_fallocate"):
        with open(path, "rb+") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)


class Reordered:
    """Sequences with reordered frames. It is indexed like an array, and copies only the sequences that are read.

    Parameters
    ----------
    sequences
        uint8 ``(n, 75, 28, 28, 3)``.
    order
        int ``(n, 75)``, for each sequence the frames to take.
    """

    def __init__(self, sequences: np.ndarray, order: np.ndarray):
        self._sequences, self._order = sequences, order
        self.shape, self.dtype = sequences.shape, sequences.dtype

    def __len__(self) -> int:
        return len(self._sequences)

    def __getitem__(self, rows) -> np.ndarray:
        chosen, order = self._sequences[rows], self._order[rows]
        return np.take_along_axis(chosen, order[..., None, None, None], axis=chosen.ndim - 4)


def in_order(sequences: np.ndarray, order: str, seed: int) -> np.ndarray | Reordered:
    """Return `sequences` with their frames ``filmed`` (unchanged), ``shuffled``, or ``last`` (the last one 75 times).

    ``take-5`` cuts a sequence into five equal parts and replaces all frames of a part by its middle frame.
    A shuffled order follows from `seed` and the sequence's number, and is the same in every epoch.
    """
    count, frames = sequences.shape[:2]
    if order == "filmed":
        return sequences
    if order == "last":
        return Reordered(sequences, np.full((count, frames), frames - 1))
    if order in FRAME_ORDERS and order.startswith("take-"):
        taken = int(order.removeprefix("take-"))
        part = np.arange(frames) * taken // frames
        middle = ((2 * part + 1) * frames) // (2 * taken)
        return Reordered(sequences, np.tile(middle, (count, 1)))
    if order != "shuffled":
        raise ValueError(f"unknown order of frames {order!r}; known are {', '.join(FRAME_ORDERS)}")
    random = [np.random.default_rng([seed, 4, number]).permutation(frames) for number in range(count)]
    return Reordered(sequences, np.array(random))


def load(folder: str | os.PathLike) -> tuple[np.ndarray, pd.DataFrame]:
    """Open a corpus' sequences: the memory-mapped uint8 array and its table.

    Raises
    ------
    lib.base.problems.InputProblem
        If they have not been made yet, or do not match.
    """
    folder = Path(folder)
    try:
        array = map_npy(verified(folder / "sequences.npy"))
        table = read_table(folder / "sequences.csv")
    except FileNotFoundError as error:
        raise InputProblem(error.filename, "has not been made yet", "run `make reproduce` first") from None
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputProblem(folder / "sequences.npy", f"is damaged ({reason})", "delete it and run again") from None
    if array.dtype != np.uint8 or array.ndim != 5:
        raise InputProblem(folder / "sequences.npy", "is no array of sequences", "delete it and run again")
    if len(array) != len(table):
        problem = f"holds {len(array)} sequences, but sequences.csv {len(table)}"
        raise InputProblem(folder / "sequences.npy", problem, "delete both and run again")
    if "sequence" not in table or table["sequence"].tolist() != list(range(len(table))):
        problem = "does not list the sequences in the array's order"
        raise InputProblem(folder / "sequences.csv", problem, "delete it and run again")
    return array, table


def read_table(path: str | os.PathLike) -> pd.DataFrame:
    """Read clips.csv, faces.csv or sequences.csv; codes such as sentence ``01`` stay text, a missing finding is ``""``.

    Paths of clips are made absolute.
    """
    text = {"clip": str, "sentence": str, "level": str, "finding": str}
    table = pd.read_csv(verified(path), dtype=text).fillna({"finding": ""})
    if "path" in table:
        table["path"] = [str(in_workspace(place)) for place in table["path"]]
    return table
