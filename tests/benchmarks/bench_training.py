"""A training step: ours against plain Keras, portable against native numerics, and whether it repeats itself.

Prints milliseconds a step, peak memory (each form in a process of its own, the mapped array of 5,000 sequences
included) and the ratios. The processes take turns, so that a busy machine slows all of them alike. The plain forms
are Keras' own layers and Keras' own step (`train_on_batch`) with native numerics; they see the same 8-bit sequences.
"""

import lib  # noqa: F401, I001  before NumPy
import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TARGET = 0.6
#: Portable steps cost at most this much more than native ones.
PORTABLE_TARGET = 1.4
FORMS = {
    "plain-pool": "Keras' layers, MaxPooling3D",
    "plain-stride": "Keras' layers, strides",
    "portable": "this project (strides)",
}


def plain(settings: dict, downsampling: str):
    """The 6-layer network of Keras' own layers."""
    from lib.training.backend import keras

    k, pool = keras.layers, downsampling == "pool"
    inputs = keras.Input((75, 28, 28, 3), dtype="uint8")
    x = k.Rescaling(settings["input_scale"])(inputs)
    for filters in settings["filters"][:2]:
        x = k.Conv3D(
            filters,
            tuple(settings["kernel"]),
            strides=1 if pool else tuple(settings["strides"]),
            padding="same",
            kernel_regularizer=keras.regularizers.L2(settings["l2"]),
        )(x)
        x = k.LeakyReLU(settings["leaky_relu_slope"])(x)
        x = k.BatchNormalization(momentum=settings["batch_norm_momentum"])(x)
        x = k.SpatialDropout3D(settings["spatial_dropout"])(x)
        if pool:
            x = k.MaxPooling3D(tuple(settings["strides"]), padding="same")(x)
    x = k.Reshape((75, -1))(x)
    x = k.LSTM(settings["lstm_units"], dropout=settings["lstm_dropout"])(x)
    x = k.LeakyReLU(settings["leaky_relu_slope"])(k.Dense(settings["dense_units"])(x))
    model = keras.Model(inputs, k.Dense(6, "softmax")(x))
    adam = keras.optimizers.Adam(0.0001, beta_1=settings["beta_1"], beta_2=settings["beta_2"])
    model.compile(adam, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def study_settings() -> dict:
    """The paper's settings."""
    from lib.study import publication

    return {name: assumption.value for name, assumption in publication.assumptions().items()}


def worker(form: str, layers: int, study: str, threads: int, array: str) -> None:
    """Do as many steps as each line of standard input says, and answer with their seconds; then the peak memory."""
    from lib.study import load
    from lib.training import loop, network

    loop.configure(threads, "portable" if form == "portable" else "native")
    settings = load(study).settings
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (settings["batch"], 75, 28, 28, 3), dtype=np.uint8)
    labels = rng.integers(0, 6, len(faces)).astype(np.int32)
    if form in ("portable", "native"):
        model = network.build(layers, settings)
        model.optimizer.build(model.trainable_variables)
        step = loop._step(model)
    else:
        step = plain(settings, form.removeprefix("plain-")).train_on_batch
    clock = time.process_time if threads == 1 else time.perf_counter  # of a thread's own time, others take nothing
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            start = clock()
            float(step(faces, labels)[0])
            seconds.append(clock() - start)
        sys.stdout.write(json.dumps(seconds) + "\n")
        sys.stdout.flush()
    sequences = np.load(array, mmap_mode="r")
    for start in range(0, len(sequences), len(faces)):
        batch = sequences[start : start + len(faces)]
        faces[: len(batch)] = batch
    sys.stdout.write(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20) + "\n")


def measure(forms: list[tuple[str, int, str]], threads: int, rounds: int, steps: int) -> list[tuple[float, float]]:
    """Median milliseconds a step and peak GiB of each form, number of layers and study."""
    with tempfile.TemporaryDirectory() as folder:
        array = Path(folder) / "sequences.npy"  # zeros take no space on the disk, but memory once they are read
        np.lib.format.open_memmap(array, "w+", np.uint8, (5000, 75, 28, 28, 3)).flush()
        command = [sys.executable, __file__, "--threads", str(threads), "--array", str(array), "--worker"]
        workers = [
            subprocess.Popen([*command, *map(str, form)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for form in forms
        ]
        seconds = [[] for _ in forms]
        for number in [2] + [steps] * rounds:  # the first two make the graph and are not counted
            for process, taken in zip(workers, seconds, strict=True):
                process.stdin.write(f"{number}\n")
                process.stdin.flush()
                taken += json.loads(process.stdout.readline())
        peaks = [json.loads(process.communicate()[0]) for process in workers]
    return [(1000 * float(np.median(taken[2:])), peak) for taken, peak in zip(seconds, peaks, strict=True)]


def compare_with_keras(threads: int, rounds: int, steps: int) -> None:
    """Print the 6-layer network's step next to plain Keras'."""
    measured = measure([(form, 6, "paper") for form in FORMS], threads, rounds, steps)
    base = measured[0][0]
    sys.stdout.write(f"training step, 6 layers, batch 32, {threads} CPU thread(s)\n")
    sys.stdout.write(f"{'form':30}{'ms a step':>10}{'ratio':>8}{'peak GiB':>10}\n")
    for name, (milliseconds, peak) in zip(FORMS.values(), measured, strict=True):
        sys.stdout.write(f"{name:30}{milliseconds:10.0f}{milliseconds / base:8.2f}{peak:10.2f}\n")
    ratio = measured[-1][0] / base
    sys.stdout.write(f"target: ratio at most {TARGET}: {'met' if ratio <= TARGET else 'MISSED'}\n")


def compare_numerics(threads: int, rounds: int, steps: int) -> None:
    """Print what portable numerics cost, by network, with the paper's settings and with the sample's."""
    sys.stdout.write(f"\n{'portable against native':30}{'portable ms':>12}{'native ms':>11}{'ratio':>8}\n")
    ratios = []
    for study in ("paper", "sample"):
        for layers in (5, 6, 7):
            pair = [("portable", layers, study), ("native", layers, study)]
            portable, native = (milliseconds for milliseconds, _ in measure(pair, threads, rounds, steps))
            ratios.append(portable / native)
            name = f"{layers} layers, study {study}"
            sys.stdout.write(f"{name:30}{portable:12.0f}{native:11.0f}{ratios[-1]:8.2f}\n")
    verdict = "met" if max(ratios) <= PORTABLE_TARGET else "MISSED"
    sys.stdout.write(f"target: ratio at most {PORTABLE_TARGET} on a processor with AVX-512: {verdict}\n\n")


def digest(threads: int) -> None:
    """Train 6 layers for two epochs on noise and write the digest of the weights."""
    from lib.training import loop

    loop.configure(threads)
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        loop.train(
            Path(folder),
            layers=6,
            learning_rate=0.001,
            epochs=2,
            batch=32,
            seed=1,
            sequences=rng.integers(0, 256, (120, 75, 28, 28, 3), dtype=np.uint8),
            labels=rng.integers(0, 6, 120),
            train=np.arange(80),
            validation=np.arange(80, 120),
            settings=study_settings(),
            progress=False,
        )
        weights = loop.load_model(Path(folder) / "model.keras").get_weights()
        total = hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in weights))
        sys.stdout.write(total.hexdigest() + (Path(folder) / "history.csv").read_text())


def main() -> None:
    """Measure all, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of every process (default 1)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each process (default 5)")
    parser.add_argument("--steps", type=int, default=4, help="steps a turn (default 4)")
    parser.add_argument("--numerics", action="store_true", help="only portable against native")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--array", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker == ["digest"]:
        return digest(options.threads)
    if options.worker:
        form, layers, study = options.worker
        return worker(form, int(layers), study, options.threads, options.array)

    if not options.numerics:
        compare_with_keras(options.threads, options.rounds, options.steps)
    compare_numerics(options.threads, options.rounds, options.steps)
    command = [sys.executable, __file__, "--threads", str(options.threads), "--worker", "digest"]
    first, second = (subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2))
    sys.stdout.write(f"two runs with the same seed end with the same bytes: {'yes' if first == second else 'NO'}\n")


if __name__ == "__main__":
    main()
