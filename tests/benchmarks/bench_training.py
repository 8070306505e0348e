"""A training step of the 6-layer network, our form beside the plain Keras form, and whether it repeats itself.

Prints milliseconds a step, peak memory (each form in a process of its own, the mapped array of 5,000 sequences
included) and the ratios. The processes take turns, so that a busy machine slows all of them alike. The plain forms
are Keras' own layers and Keras' own step (`train_on_batch`); they see the same 8-bit sequences.
"""

import lib  # noqa: F401, I001  before NumPy

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TARGET = 0.6
FORMS = {
    "plain-pool": "Keras' layers, MaxPooling3D",
    "plain-stride": "Keras' layers, strides",
    "ours": "this project (strides)",
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
    from lib.study import paper

    return {name: assumption.value for name, assumption in paper.assumptions().items()}


def worker(form: str, threads: int, array: str) -> None:
    """Do as many steps as each line of standard input says, and answer with their seconds; then the peak memory."""
    from lib.training import loop, network

    loop.configure(threads)
    settings = study_settings()
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (32, 75, 28, 28, 3), dtype=np.uint8)
    labels = rng.integers(0, 6, 32).astype(np.int32)
    if form == "ours":
        model = network.build(6, settings)
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
    for batch in np.array_split(rng.permutation(len(sequences)), len(sequences) // 25):
        faces[: len(batch)] = sequences[batch]
    sys.stdout.write(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20) + "\n")


def measure(threads: int, rounds: int, steps: int) -> dict[str, tuple[float, float]]:
    """Median milliseconds a step and peak GiB of each form."""
    with tempfile.TemporaryDirectory() as folder:
        array = Path(folder) / "sequences.npy"  # zeros take no space on the disk, but memory once they are read
        np.lib.format.open_memmap(array, "w+", np.uint8, (5000, 75, 28, 28, 3)).flush()
        workers = {
            form: subprocess.Popen(
                [sys.executable, __file__, "--threads", str(threads), "--worker", form, "--array", str(array)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for form in FORMS
        }
        seconds = {form: [] for form in FORMS}
        for number in [2] + [steps] * rounds:  # the first two make the graph and are not counted
            for form, process in workers.items():
                process.stdin.write(f"{number}\n")
                process.stdin.flush()
                seconds[form] += json.loads(process.stdout.readline())
        peaks = {form: json.loads(process.communicate()[0]) for form, process in workers.items()}
    return {form: (1000 * float(np.median(seconds[form][2:])), peaks[form]) for form in FORMS}


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
        model = loop.load_model(Path(folder) / "model.keras")
        sys.stdout.write(loop.weights_digest(model) + (Path(folder) / "history.csv").read_text())


def main() -> None:
    """Measure all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of every process (default 1)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each process (default 5)")
    parser.add_argument("--steps", type=int, default=4, help="steps a turn (default 4)")
    parser.add_argument("--worker", choices=[*FORMS, "digest"], help=argparse.SUPPRESS)
    parser.add_argument("--array", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker == "digest":
        return digest(options.threads)
    if options.worker:
        return worker(options.worker, options.threads, options.array)

    measured = measure(options.threads, options.rounds, options.steps)
    base = measured["plain-pool"][0]
    write = sys.stdout.write
    write(f"training step, 6 layers, batch 32, {options.threads} CPU thread(s)\n")
    write(f"{'form':30}{'ms a step':>10}{'ratio':>8}{'peak GiB':>10}\n")
    for form, (milliseconds, peak) in measured.items():
        write(f"{FORMS[form]:30}{milliseconds:10.0f}{milliseconds / base:8.2f}{peak:10.2f}\n")
    ratio = measured["ours"][0] / base
    write(f"target: ratio at most {TARGET}: {'met' if ratio <= TARGET else 'MISSED'}\n")
    command = [sys.executable, __file__, "--threads", str(options.threads), "--worker", "digest"]
    first, second = (subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2))
    write(f"two runs with the same seed end with the same bytes: {'yes' if first == second else 'NO'}\n")


if __name__ == "__main__":
    main()
