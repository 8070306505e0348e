"""Both corpora at their full size, from the list of clips to training steps: what each step takes, and its memory.

    python tests/benchmarks/bench_full_size.py [--steps 12] [--folder /scratch]

7,442 clips named and as long as CREMA-D's (its own records), 1,056 as RAVDESS', masked faces of noise in the form
that the masking leaves, no videos. Every step runs in a process of its own and reports its peak memory, mapped
files included. Needs 4 GB of disk, which it gives back. `--only train` trains on 6,704 sequences of zeros that
take no disk (a quick check of the memory: tests/test_full_size.py).
"""

from __future__ import annotations  # noqa: I001

import lib  # noqa: F401  before NumPy

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

GOAL = 3.0  # GB of memory of a training on 5,000 sequences
CREMAD_CLIPS, RAVDESS_CLIPS = 7442, 1056
TRAINING, VALIDATION = 5000, 1000
RAVDESS_FRAMES = (88, 158)  # shortest and longest: clips last 2.9 to 5.3 s
VIDEO = b"FLV\x01" + bytes(96)  # what stands for a video: nothing decodes it here


def make_corpora(folder: Path) -> str:
    """Write files with the corpora's names; the frame counts of their clips to ``frames.csv``."""
    from lib.corpora import records

    cremad = records.clips()
    (folder / "cremad/VideoFlash").mkdir(parents=True)
    for clip in cremad["clip"]:
        (folder / f"cremad/VideoFlash/{clip}.flv").write_bytes(VIDEO)
    actors = pd.read_csv(records.RECORDS / "cremad_actors.csv")[["actor", "age", "sex", "race", "ethnicity"]]
    actors.columns = ["ActorID", "Age", "Sex", "Race", "Ethnicity"]
    actors.to_csv(folder / "cremad/VideoDemographics.csv", index=False)
    names = [
        f"01-01-{emotion}-{intensity}-{statement}-{repetition}-{actor:02d}"
        for actor in range(1, 25)
        for emotion, intensity, statement, repetition in product(
            ("01", "03", "04", "05", "06", "07"), ("01", "02"), ("01", "02"), ("01", "02")
        )
        if (emotion, intensity) != ("01", "02")  # neutral has no strong form
    ]
    for name in names:
        path = folder / f"ravdess/Actor_{name[-2:]}/{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(VIDEO)
    long = np.random.default_rng(1).integers(*RAVDESS_FRAMES, len(names), endpoint=True)
    frames = pd.DataFrame({"clip": [*cremad["clip"], *names], "frames": [*cremad["frames"], *long]})
    frames.to_csv(folder / "frames.csv", index=False)
    return f"{len(cremad)} and {len(names)} clips, {frames['frames'].sum():,} frames"


def list_clips(folder: Path) -> str:
    """List both corpora by their adapters."""
    from lib.corpora import cremad, ravdess

    for name, adapter, number in (("cremad", cremad, CREMAD_CLIPS), ("ravdess", ravdess, RAVDESS_CLIPS)):
        clips, problems = adapter.list_clips(folder / name)
        if len(clips) != number or problems:
            raise SystemExit(f"{name}: {len(clips)} clips, {[str(problem) for problem in problems[:3]]}")
        clips.to_csv(folder / name / "clips.csv", index=False)
    return f"{CREMAD_CLIPS} and {RAVDESS_CLIPS} clips"


def make_faces(folder: Path) -> str:
    """Write an actor's file of faces for each, as `lib.faces.corpus` does, with noise in it."""
    from lib.faces.corpus import FACE_COLUMNS
    from lib.sequences.cutting import read_table

    frames = pd.read_csv(folder / "frames.csv", dtype={"clip": str}).set_index("clip")["frames"]
    for corpus in ("cremad", "ravdess"):
        clips = read_table(folder / corpus / "clips.csv")
        clips = clips.assign(frames=clips["clip"].map(frames))
        (folder / corpus / "faces").mkdir()
        for actor, group in clips.groupby("actor"):
            n = int(group["frames"].sum())
            rng = np.random.default_rng([2, actor])
            np.savez(
                folder / corpus / f"faces/{actor}.npz",
                faces=np.frombuffer(rng.bytes(n * 28 * 28 * 3), np.uint8).reshape(n, 28, 28, 3),
                success=np.ones(n, bool),
                landmarks=np.zeros((n, 68, 2), np.float32),
                clips=group["clip"].to_numpy(str),
                offsets=np.cumsum([0, *group["frames"]], dtype=np.int64),
                problems=np.full(len(group), ""),
                fingerprint=np.array("noise"),
            )
        faces = clips.assign(frames_with_face=clips["frames"], problem="")
        faces[FACE_COLUMNS].to_csv(folder / corpus / "faces.csv", index=False)
    files = [path.stat().st_size for path in folder.glob("*/faces/*.npz")]
    return f"{len(files)} files, {sum(files) / 1e9:.2f} GB"


def cut(folder: Path) -> str:
    """Cut both corpora by the paper's rules."""
    from lib.sequences import cutting

    counts = []
    for corpus, rule in (("cremad", "window_rule"), ("ravdess", "transfer_window_rule")):
        data, settings = folder / corpus, study_settings()
        tables = [cutting.read_table(data / name) for name in ("clips.csv", "faces.csv")]
        table = cutting.cut(*tables, data / "faces", data / "sequences.npy", settings, settings[rule])
        table.to_csv(data / "sequences.csv", index=False)
        counts.append(f"{len(table):,} ({(data / 'sequences.npy').stat().st_size / 1e9:.2f} GB)")
    return " and ".join(counts) + " sequences"


def split(folder: Path) -> str:
    """Split CREMA-D's sequences as the paper."""
    from lib.sequences import cutting
    from lib.sequences.splits import PARTS
    from lib.sequences.splits import split as split_sequences

    array, table = cutting.load(folder / "cremad")
    settings = study_settings()
    part = split_sequences(table, settings["split_protocol"], settings["split_sizes"], settings["seed"])
    np.savez(folder / "parts.npz", **{name: np.flatnonzero(part == name) for name in PARTS})
    return " / ".join(f"{(part == name).sum():,}" for name in PARTS)


def train(folder: Path, layers: int, steps: int) -> str:
    """Fingerprint of 6,000 sequences, `steps` steps at batch 32 over the 5,000, prediction of the 1,000."""
    from lib.sequences import cutting
    from lib.training import loop, network

    loop.configure(threads=1)
    settings = study_settings()
    if (folder / "cremad").exists():
        array, table = cutting.load(folder / "cremad")
        labels = table["label"].to_numpy(np.int32)
        with np.load(folder / "parts.npz") as parts:
            indices, validation = parts["train"], parts["validation"]
    else:
        array = np.load(folder / "sequences.npy", mmap_mode="r")
        labels, indices = np.arange(len(array), dtype=np.int32) % 6, np.arange(TRAINING)
        validation = np.arange(TRAINING, TRAINING + VALIDATION)
    loop._fingerprint({}, array, labels, indices, validation)
    model = network.build(layers, settings, learning_rate=0.0001)
    model.optimizer.build(model.trainable_variables)
    step, forward = loop._step(model), loop._forward(model)

    def seconds(work, *arguments):
        start = time.perf_counter()
        work(*arguments)
        return time.perf_counter() - start

    batch = settings["batch"]
    chosen = np.random.default_rng(3).choice(indices, batch * steps, replace=False)
    first = seconds(loop._epoch, model, step, array, labels, chosen[:batch], batch, 1, 1)  # makes the graph
    each = seconds(loop._epoch, model, step, array, labels, chosen, batch, 1, 2) / steps
    whole = seconds(loop._probabilities, forward, array, validation, batch)
    return f"{each:.3f} s a step, {first:.1f} s the first, {whole:.1f} s for {len(validation):,} validation sequences"


def study_settings() -> dict:
    """The paper's settings."""
    from lib.study import publication

    return {name: assumption.value for name, assumption in publication.assumptions().items()}


STEPS = [make_corpora, list_clips, make_faces, cut, split]


def in_a_process(*arguments: str) -> dict:
    """Run one step in a process of its own; its ``seconds``, ``peak`` (GB) and ``says``."""
    done = subprocess.run([sys.executable, __file__, "--worker", *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{arguments[0]} ended with {done.returncode}")
    return json.loads(done.stdout)


def work(folder: Path, name: str, layers: int, steps: int) -> None:
    """Do one step and write what `in_a_process` gives."""
    from bench_masking import peak_of_this_process

    start = time.perf_counter()
    function = next((step for step in STEPS if step.__name__ == name), None)
    says = function(folder) if function else train(folder, layers, steps)
    peak = peak_of_this_process() * 2**20 / 1e9
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - start, "peak": peak, "says": says}))


def main() -> int:
    """Run all, print the table; 1 if a training takes more memory than the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12, help="training steps of each network (157 are an epoch)")
    parser.add_argument("--folder", help="where to make the temporary folder (4 GB)")
    parser.add_argument("--only", choices=["train"], help="train only, on sequences of zeros")
    parser.add_argument("--layers", type=int, nargs="+", default=[5, 6, 7])
    parser.add_argument("--worker", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(Path(options.worker[1]), options.worker[0], options.layers[0], options.steps)
    with tempfile.TemporaryDirectory(prefix="full-size-", dir=options.folder) as folder:
        if options.only:
            shape = (TRAINING + VALIDATION, 75, 28, 28, 3)
            np.lib.format.open_memmap(Path(folder) / "sequences.npy", "w+", np.uint8, shape).flush()
        rows = [(step.__name__, (step.__name__, folder)) for step in STEPS if not options.only]
        for layers in options.layers:
            more = ("--layers", str(layers), "--steps", str(options.steps))
            rows.append((f"train, {layers} layers", ("train", folder, *more)))
        sys.stdout.write(f"{'step':18}{'seconds':>9}{'peak GB':>9}\n")
        most = 0.0
        for name, arguments in rows:
            found = in_a_process(*arguments)
            sys.stdout.write(f"{name:18}{found['seconds']:9.1f}{found['peak']:9.2f}  {found['says']}\n")
            sys.stdout.flush()
            most = max(most, found["peak"] if arguments[0] == "train" else 0.0)
    met = most <= GOAL
    sys.stdout.write(
        f"memory of a training on {TRAINING:,} sequences: at most {most:.2f} GB (goal: at most {GOAL:g}): "
        f"{'met' if met else 'MISSED'}\n"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
