"""Train a network so that the same parameters give the same bytes, also if the training is interrupted.

An epoch depends only on (seed, epoch) and on the state before it: the order of the sequences and the seed of each
dropout layer are drawn at its start. So a training can end after any epoch and continue later, in another process,
or as a training of more epochs.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from lib.base.checksums import code_digest
from lib.base.emotions import EMOTIONS
from lib.base.files import write_text, written_atomically
from lib.base.paths import relative
from lib.base.problems import InputProblem
from lib.study import results
from lib.training import checkpoint, network
from lib.training.backend import configure, environment, keras, tf

__all__ = ["configure", "evaluate", "load_model", "predict", "predictions", "train"]

#: Columns of a history, after ``epoch``.
MEASURES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")

log = logging.getLogger(__name__)


def train(
    folder: Path,
    *,
    layers: int,
    learning_rate: float,
    epochs: int,
    batch: int,
    seed: int,
    sequences: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    settings: Mapping[str, Any],
    continue_from: Path | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a network, or continue its training, and write the weights of the best epoch to `folder`.

    The best epoch is the first one with the highest validation accuracy. A loss that is not a number is recorded as
    such, and its epoch is the best only if there is no other.

    Parameters
    ----------
    folder
        Gets ``model.keras`` (the best weights), ``history.csv`` and ``checkpoints/``.
    layers, learning_rate, epochs, batch, seed
        Parameters of the network, of Adam, and of the training. The last batch of an epoch may be smaller.
    sequences
        uint8 ``(n, 75, 28, 28, 3)``, an array or a memory map; only one batch at a time is copied.
    labels
        int ``(n,)``, class numbers in the order of ``EMOTIONS``.
    train, validation
        int, indices into `sequences`.
    settings
        See `lib.training.network.build`.
    continue_from
        Folder of the same training with fewer epochs, to continue it; the result is the same as without it.
    progress
        Whether to show a progress bar.

    Returns
    -------
    pandas.DataFrame
        One row per epoch: ``epoch`` (from 1), ``train_loss``, ``train_accuracy``, ``validation_loss``,
        ``validation_accuracy``. Losses are those that Keras reports: mean cross-entropy (nats) plus the L2 penalty.
        The training columns are means over the epoch's batches, with dropout and changing weights.

    Raises
    ------
    InputProblem
        If another process is training in `folder`.
    ValueError
        If a part is empty, `epochs` is under 1, or a setting is wrong.
    """
    folder = Path(folder)
    train, validation = np.asarray(train), np.asarray(validation)
    labels = np.asarray(labels, dtype=np.int32)
    if not len(train) or not len(validation) or epochs < 1:
        raise ValueError(f"{len(train)} training, {len(validation)} validation sequences, {epochs} epochs: too few")
    parameters = {"layers": layers, "learning_rate": learning_rate, "batch": batch, "seed": seed}
    parameters |= {"settings": {name: settings.get(name) for name in network.SETTINGS}, "environment": environment()}
    parameters |= {"numpy": np.__version__, "code": code_digest(*sorted(Path(__file__).parent.glob("*.py")))}
    fingerprint = _fingerprint(parameters, sequences, labels, train, validation)

    if settings.get("precision") != "float32" and not tf.config.get_visible_devices("GPU"):
        log.warning("precision %s without a GPU: slower, and not every processor can", settings.get("precision"))

    with checkpoint.locked_folder(folder / "checkpoints") as checkpoints:
        model = network.build(layers, settings, seed=seed, learning_rate=learning_rate)
        model.optimizer.build(model.trainable_variables)
        start = checkpoint.state_of(model, fingerprint, np.empty((0, len(MEASURES))))
        state = checkpoint.newest(checkpoints, start, epochs)
        if state is None and continue_from is not None:
            state = checkpoint.newest(Path(continue_from) / "checkpoints", start, epochs)
        if state is None:
            state = start
        else:
            checkpoint.restore(model, state)
        step, forward = _step(model), _forward(model)
        with tqdm(
            total=epochs, initial=state.epoch, unit="epoch", desc=f"{layers} layers", disable=not progress
        ) as bar:
            for epoch in range(state.epoch + 1, epochs + 1):
                measures = _epoch(model, step, sequences, labels, train, batch, seed, epoch)
                probabilities = _probabilities(forward, sequences, validation, batch)
                measures += _measures(model, probabilities, labels[validation])
                if not np.isfinite(measures).all():
                    log.warning("%s, epoch %d: the loss is not a number", relative(folder), epoch)
                state = checkpoint.state_of(model, fingerprint, np.vstack([state.history, measures]), state.best)
                checkpoint.save(state, checkpoints)
                bar.set_postfix(train=f"{measures[1]:.3f}", validation=f"{measures[3]:.3f}", refresh=False)
                bar.update()

        model.set_weights(state.best)
        with written_atomically(folder / "model.keras") as temporary:
            model.save(temporary, include_optimizer=False)  # its state is the last epoch's, not the best one's
        table = pd.DataFrame(state.history, columns=list(MEASURES))
        table.insert(0, "epoch", np.arange(1, len(table) + 1))
        write_text(folder / "history.csv", table.to_csv(index=False))
    return table


def predict(model: keras.Model, sequences: np.ndarray, indices: np.ndarray, batch: int = 32) -> np.ndarray:
    """Probabilities float32 ``(len(indices), 6)`` of ``sequences[indices]``, in the order of ``EMOTIONS``."""
    return _probabilities(_forward(model), sequences, np.asarray(indices), batch)


def predictions(
    model: keras.Model, sequences: np.ndarray, table: pd.DataFrame, indices: np.ndarray, batch: int = 32
) -> pd.DataFrame:
    """Predictions of `model` for ``sequences[indices]``, in their order.

    Parameters
    ----------
    table
        The table of sequences.csv.

    Returns
    -------
    pandas.DataFrame
        As `lib.study.results.predictions`.
    """
    return results.tabulated(table.loc[indices], predict(model, sequences, indices, batch))


def evaluate(
    model: keras.Model, sequences: np.ndarray, labels: np.ndarray, indices: np.ndarray, batch: int = 32
) -> dict[str, float]:
    """``loss`` and ``accuracy`` of `model` on ``sequences[indices]``.

    The loss is that of Keras' ``evaluate``, which is probably the one in the paper's tables: mean cross-entropy in
    nats plus the L2 penalty of the weights.
    """
    probabilities = predict(model, sequences, indices, batch)
    return dict(zip(("loss", "accuracy"), _measures(model, probabilities, np.asarray(labels)[indices]), strict=True))


def load_model(path: Path) -> keras.Model:
    """Read a trained network; no code in the file is executed (Keras' safe mode).

    Raises
    ------
    InputProblem
        If `path` is missing, broken, or not a network from sequences to the six emotions.
    """
    remedy = "train it again, or name another model file"
    if not Path(path).is_file():
        raise InputProblem(path, "there is no such model file", remedy)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a broken archive, its JSON or its weights can raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
        raise InputProblem(path, f"cannot be read as a Keras model ({reason})", remedy) from error
    shapes = (getattr(model, "input_shape", None), getattr(model, "output_shape", None))
    if shapes != ((None, *network.INPUT_SHAPE), (None, len(EMOTIONS))):
        raise InputProblem(path, "is a model, but not one from 75 faces to six emotions", remedy)
    return model


def _fingerprint(parameters: dict, sequences, labels, *parts: np.ndarray) -> str:
    """Digest of `parameters` and of the training and validation sequences and labels."""
    digest = hashlib.blake2b(json.dumps(parameters, sort_keys=True, default=np.generic.item).encode(), digest_size=16)
    for part in parts:
        digest.update(np.int64(len(part)).tobytes())
        digest.update(labels[part].tobytes())
        for index in part:
            digest.update(np.ascontiguousarray(sequences[index]))
    return digest.hexdigest()


def _step(model: keras.Model):
    """One step of Adam on a batch, as a graph for batches of any size: ``(x, y) -> (loss, correct)``.

    Keras makes one graph per batch size, and the numbers would then depend on which size came first.
    """

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, *network.INPUT_SHAPE), tf.uint8),
            tf.TensorSpec((None,), tf.int32),
        ]
    )
    def step(x, y):
        with tf.GradientTape() as tape:
            probabilities = model(x, training=True)
            loss = model.compute_loss(x=x, y=y, y_pred=probabilities)
            scaled = model.optimizer.scale_loss(loss)  # float16 only; Adam reverses it
        gradients = tape.gradient(scaled, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        hits = tf.argmax(probabilities, axis=-1, output_type=tf.int32) == y
        return loss, tf.reduce_sum(tf.cast(hits, tf.int32))

    return step


@lru_cache(maxsize=1)  # the same graph for all parts that are tested
def _forward(model: keras.Model):
    """`model` without dropout, as a graph for batches of any size."""

    @tf.function(input_signature=[tf.TensorSpec((None, *network.INPUT_SHAPE), tf.uint8)])
    def forward(x):
        return model(x, training=False)

    return forward


def _batches(indices: np.ndarray, batch: int) -> list[np.ndarray]:
    return [indices[start : start + batch] for start in range(0, len(indices), batch)]


def _epoch(model, step, sequences, labels, train, batch: int, seed: int, epoch: int) -> list[float]:
    """Train for one epoch; return its mean loss and accuracy."""
    _seed_dropout(model, seed, epoch)
    order = np.random.default_rng([seed, 2, epoch]).permutation(train)
    batches = _batches(order, batch)
    # Results are fetched only at the end: fetching after every step would leave a GPU idle.
    results = [step(sequences[indices], labels[indices]) for indices in batches]
    losses, hits = (np.array([float(value) for value in column]) for column in zip(*results, strict=True))
    sizes = np.array([len(indices) for indices in batches])
    return [float((losses * sizes).sum() / sizes.sum()), float(hits.sum() / sizes.sum())]


def _seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Seed every dropout layer from (seed, epoch, layer)."""
    for number, layer in enumerate(model.layers):
        for holder in (layer, getattr(layer, "cell", None)):
            generator = getattr(holder, "seed_generator", None)
            if generator is not None:
                start = np.random.SeedSequence([seed, 3, epoch, number]).generate_state(1)[0] >> 1
                generator.state.assign([int(start), 0])


def _probabilities(forward, sequences, indices: np.ndarray, batch: int) -> np.ndarray:
    parts = [forward(sequences[part]).numpy() for part in _batches(indices, batch)]
    return np.concatenate(parts) if parts else np.empty((0, len(EMOTIONS)), np.float32)


def _measures(model: keras.Model, probabilities: np.ndarray, labels: np.ndarray) -> list[float]:
    """Loss (with the L2 penalty) and accuracy of `probabilities`."""
    if not len(labels):
        return [math.nan, math.nan]
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    cross_entropy = -np.log(np.maximum(chosen, np.finfo(np.float32).tiny)).mean()
    penalty = sum(float(loss) for loss in model.losses)
    return [float(cross_entropy) + penalty, float((probabilities.argmax(axis=1) == labels).mean())]
