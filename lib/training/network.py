"""The paper's networks: 5, 6 and 7 layers are 1, 2 and 3 blocks of Conv3D before one LSTM and two dense layers.

A block is Conv3D with an L2 penalty, LeakyReLU, BatchNorm, SpatialDropout3D (the paper's section III-C). What the
paper does not state is set by ``paper/assumptions.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lib.base.emotions import EMOTIONS
from lib.study.choices import BLOCKS
from lib.training.backend import keras
from lib.training.layers import FoldedConv3D, FusedBatchNormalization, FusedLSTM, Orthogonal, ScaledSpatialDropout3D

#: Shape of a sequence: frames, rows, columns, RGB.
INPUT_SHAPE = (75, 28, 28, 3)

#: The settings that decide the network and its training.
SETTINGS = (
    "input_scale",
    "filters",
    "kernel",
    "downsampling",
    "strides",
    "l2",
    "leaky_relu_slope",
    "batch_norm_momentum",
    "spatial_dropout",
    "lstm_layers",
    "lstm_units",
    "lstm_dropout",
    "lstm_dropout_at",
    "dense_units",
    "beta_1",
    "beta_2",
    "precision",
)

#: Precision of the convolution blocks; weights, statistics and all layers after the blocks are float32.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
#: Factor on the loss: small gradients would be zero in float16.
FLOAT16_LOSS_SCALE = 1024.0


def build(layers: int, settings: Mapping[str, Any], *, seed: int = 0, learning_rate: float = 0.0001) -> keras.Model:
    """Make and compile a network with initial weights.

    Parameters
    ----------
    layers
        5, 6 or 7: one, two or three Conv3D blocks.
    settings
        Values by their names in ``paper/assumptions.yaml``; those in ``SETTINGS`` are used.
    seed
        Decides the initial weights.
    learning_rate
        Of Adam.

    Returns
    -------
    keras.Model
        From uint8 ``(n, 75, 28, 28, 3)`` RGB to float32 ``(n, 6)`` probabilities in the order of ``EMOTIONS``.
        Compiled with the sparse cross-entropy, whose labels are class numbers; its value is that of the categorical
        cross-entropy of one-hot labels.

    Raises
    ------
    ValueError
        If a setting is missing or out of range.
    """
    missing = [name for name in SETTINGS if name not in settings]
    if missing:
        raise ValueError(f"settings lack {', '.join(missing)}")
    if layers not in BLOCKS:
        raise ValueError(f"layers is {layers}, not one of {', '.join(map(str, BLOCKS))}")
    if settings["downsampling"] not in ("stride", "pool", "none"):
        raise ValueError(f"downsampling is {settings['downsampling']!r}, not 'stride', 'pool' or 'none'")
    if settings["precision"] not in PRECISIONS:
        raise ValueError(f"precision is {settings['precision']!r}, not one of {', '.join(PRECISIONS)}")
    if len(settings["filters"]) < BLOCKS[layers]:
        raise ValueError(f"filters name {len(settings['filters'])} blocks, {layers} layers have {BLOCKS[layers]}")

    numbers = iter(np.random.SeedSequence([seed, 1]).generate_state(16) >> 1)

    def random(kind):  # a different seed for every matrix
        return kind(seed=int(next(numbers)))

    k, uniform = keras.layers, keras.initializers.GlorotUniform
    stride, pool = (settings["downsampling"] == way for way in ("stride", "pool"))
    strides, precision = tuple(settings["strides"]), settings["precision"]
    inputs = keras.Input(INPUT_SHAPE, dtype="uint8", name="sequence")
    x = k.Rescaling(settings["input_scale"], name="scale")(inputs)
    for block in range(1, BLOCKS[layers] + 1):
        x = FoldedConv3D(
            settings["filters"][block - 1],
            tuple(settings["kernel"]),
            strides=strides if stride else 1,
            padding="same",
            kernel_initializer=random(uniform),
            kernel_regularizer=keras.regularizers.L2(settings["l2"]),
            dtype=precision,
            name=f"conv_{block}",
        )(x)
        x = k.LeakyReLU(settings["leaky_relu_slope"], dtype=precision, name=f"leaky_relu_{block}")(x)
        momentum, dropout = settings["batch_norm_momentum"], settings["spatial_dropout"]
        x = FusedBatchNormalization(momentum=momentum, dtype=precision, name=f"batch_norm_{block}")(x)
        x = ScaledSpatialDropout3D(dropout, seed=int(seed), dtype=precision, name=f"dropout_{block}")(x)
        if pool:  # "same", so that both ways of downsampling give the same shapes
            x = k.MaxPooling3D(strides, padding="same", dtype=precision, name=f"pool_{block}")(x)
    x = k.Reshape((INPUT_SHAPE[0], -1), name="frames")(x)
    at_input = settings["lstm_dropout_at"] == "input"
    for number in range(1, settings["lstm_layers"] + 1):
        last = number == settings["lstm_layers"]  # the others return all frames, which FusedLSTM cannot
        x = (FusedLSTM if last else k.LSTM)(
            settings["lstm_units"],
            kernel_initializer=random(uniform),
            recurrent_initializer=random(Orthogonal),
            dropout=settings["lstm_dropout"] if at_input else 0.0,
            seed=int(seed),
            return_sequences=not last,
            name="lstm" if last else f"lstm_{number}",
        )(x)
        if not at_input:
            name = "dropout_lstm" if last else f"dropout_lstm_{number}"
            x = k.Dropout(settings["lstm_dropout"], seed=int(seed), name=name)(x)
    x = k.Dense(settings["dense_units"], kernel_initializer=random(uniform), name="dense")(x)
    x = k.LeakyReLU(settings["leaky_relu_slope"], name="leaky_relu_dense")(x)
    outputs = k.Dense(len(EMOTIONS), "softmax", kernel_initializer=random(uniform), dtype="float32", name="emotion")(x)
    model = keras.Model(inputs, outputs, name=f"layers_{layers}")
    model.compile(
        keras.optimizers.Adam(
            float(learning_rate),  # a study's file may say 1, and Keras refuses whole numbers
            beta_1=settings["beta_1"],
            beta_2=settings["beta_2"],
            loss_scale_factor=FLOAT16_LOSS_SCALE if precision == "mixed_float16" else None,
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def describe(model: keras.Model) -> pd.DataFrame:
    """List the layers of `model`, from input to output.

    Returns
    -------
    pandas.DataFrame
        ``layer`` (its name), ``kind`` (Keras' name of its class), ``output`` (shape without the batch, as
        ``75×14×14×16``) and ``parameters`` (trained and moving ones).
    """
    rows = []
    for layer in model.layers:
        kind = next(c.__name__ for c in type(layer).__mro__ if c.__module__.startswith("keras"))
        output = "×".join(map(str, layer.output.shape[1:]))
        rows.append((layer.name, kind, output, layer.count_params()))
    return pd.DataFrame(rows, columns=["layer", "kind", "output", "parameters"])
