"""The paper's networks: 5, 6 and 7 layers are 1, 2 and 3 blocks of Conv3D before one LSTM and two dense layers.

A block is Conv3D with an L2 penalty, LeakyReLU, BatchNorm, SpatialDropout3D (the paper's section III-C). What
the paper leaves out comes from the settings (``paper/assumptions.yaml``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lib.base.emotions import EMOTIONS
from lib.study.choices import BLOCKS
from lib.training.backend import environment, keras, tf

#: Shape of a sequence: frames, rows, columns, RGB.
INPUT_SHAPE = (75, 28, 28, 3)

#: The settings that decide what a network is and how it learns.
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

#: What the convolution blocks may compute in; weights, statistics and all behind the blocks stay float32.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
#: Small gradients vanish in float16 unless the loss is scaled up meanwhile.
FLOAT16_LOSS_SCALE = 1024.0


@keras.saving.register_keras_serializable(package="lib")
class Orthogonal(keras.initializers.Initializer):
    """Keras' Orthogonal by NumPy: TensorFlow's QR rounds differently with the size of the processor's caches."""

    def __init__(self, seed: int):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        """A tensor of `shape` (two axes), float32, with orthonormal rows or columns (Saxe et al. 2014)."""
        normal = np.random.default_rng(self.seed).standard_normal((max(shape), min(shape)))
        q, r = np.linalg.qr(normal)
        q *= np.sign(np.diag(r))
        return tf.constant(q.T if shape[0] < shape[1] else q, dtype or "float32")

    def get_config(self):
        """What `keras.saving` writes."""
        return {"seed": self.seed}


@keras.saving.register_keras_serializable(package="lib")
class FoldedConv3D(keras.layers.Conv3D):
    """Keras' Conv3D whose kernel's gradient is, on a CPU, that of one 2-D convolution for each of its frames.

    A frame of the kernel sees every picture at a fixed distance in time, so its gradient is that of a 2-D
    convolution of the pictures before or after. oneDNN has a fast form of it for AVX2, and none of the 3-D
    gradient. Same weights, same values (to rounding). Strides in time, 16 bits, GPUs and native numerics take
    Keras' own code.
    """

    def call(self, inputs):
        """Convolve `inputs`, float32 ``(batch, frames, rows, columns, channels)``."""
        plain = self.strides[0] == 1 and self.padding == "same" and self.compute_dtype == "float32"
        if not plain or tf.config.get_visible_devices("GPU") or environment()["numerics"] == "native":
            return super().call(inputs)
        strides = (1, *self.strides, 1)
        frames, rows, columns, channels, filters = self.kernel.shape

        @tf.custom_gradient
        def convolve(x, kernel):
            def gradient(dy):
                dx = tf.raw_ops.Conv3DBackpropInputV2(
                    input_sizes=tf.shape(x), filter=kernel, out_backprop=dy, strides=strides, padding="SAME"
                )
                pictures = tf.reshape(x, (-1, *x.shape[2:]))
                gradients = []
                for ahead in range(-((frames - 1) // 2), frames // 2 + 1):  # of the output's frame
                    # The first or last frames of a sequence have nothing there: neither the next sequence's pictures.
                    kept = dy[:, max(0, -ahead) : dy.shape[1] - max(0, ahead)]
                    outside = [[0, 0], [max(0, -ahead), max(0, ahead)], [0, 0], [0, 0], [0, 0]]
                    changes = tf.reshape(tf.pad(kept, outside), (-1, *dy.shape[2:]))
                    n = tf.shape(pictures)[0]
                    gradients.append(
                        tf.raw_ops.Conv2DBackpropFilter(
                            input=pictures[max(0, ahead) : n + min(0, ahead)],
                            filter_sizes=(rows, columns, channels, filters),
                            out_backprop=changes[max(0, -ahead) : n + min(0, -ahead)],
                            strides=strides[1:],
                            padding="SAME",
                        )
                    )
                return dx, tf.stack(gradients)

            return tf.nn.conv3d(x, kernel, strides, "SAME"), gradient

        return convolve(inputs, tf.convert_to_tensor(self.kernel)) + self.bias


@keras.saving.register_keras_serializable(package="lib")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' BatchNormalization of ``(batch, frames, rows, columns, channels)``, by TensorFlow's fused kernel.

    The kernel takes four axes, so frames are folded into rows; the statistics run over all but the channels
    either way. On a CPU, Keras' own form is 41 % of a training step. Same weights, same values (to rounding).
    """

    def __init__(self, **options):
        super().__init__(**options)
        self.autocast = False  # in mixed precision the kernel takes 16-bit pictures and 32-bit statistics

    def call(self, inputs, training=None, mask=None):
        """Normalise `inputs` (five axes); in training, also move the moving statistics."""
        shape = tf.shape(inputs)
        folded = tf.reshape(inputs, (shape[0], shape[1] * shape[2], shape[3], inputs.shape[4]))
        gamma, beta, moving_mean, moving_variance = (
            tf.convert_to_tensor(v) for v in (self.gamma, self.beta, self.moving_mean, self.moving_variance)
        )
        if training and self.trainable:
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                folded, gamma, beta, epsilon=self.epsilon, is_training=True
            )
            # The kernel reports the sample variance (n - 1), Keras moves by the population's (n).
            n = tf.cast(tf.reduce_prod(shape[:4]), variance.dtype)
            variance *= (n - 1) / n
            self.moving_mean.assign(moving_mean * self.momentum + mean * (1 - self.momentum))
            self.moving_variance.assign(moving_variance * self.momentum + variance * (1 - self.momentum))
        else:
            outputs, _, _ = tf.compat.v1.nn.fused_batch_norm(
                folded, gamma, beta, moving_mean, moving_variance, epsilon=self.epsilon, is_training=False
            )
        return tf.reshape(outputs, shape)


@keras.saving.register_keras_serializable(package="lib")
class FusedLSTM(keras.layers.LSTM):
    """Keras' LSTM (last output only), trained on a CPU by TensorFlow's one-kernel loop.

    Keras multiplies each frame's features by the kernel inside a loop of 75 steps, and sums the kernel's
    gradient 75 times; here one product does all frames at once and ``BlockLSTM`` only the recurrence. Same
    weights, same values (to rounding). Outside training, and on a GPU (cuDNN), it is Keras' own code.
    """

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Last output, float32 ``(batch, units)``, of `sequences`, float32 ``(batch, frames, features)``."""
        if not training or mask is not None or initial_state is not None or tf.config.get_visible_devices("GPU"):
            return super().call(sequences, initial_state=initial_state, mask=mask, training=training)
        kernel, recurrent, bias = (
            tf.convert_to_tensor(v) for v in (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        )
        batch, (frames, features), units = tf.shape(sequences)[0], sequences.shape[1:], self.units
        if self.dropout:  # one mask for all frames, as Keras has it
            ones = tf.ones((batch, 1, features), sequences.dtype)
            sequences *= keras.random.dropout(ones, self.dropout, seed=self.cell.seed_generator)
        products = tf.reshape(tf.reshape(sequences, (-1, features)) @ kernel, (batch, frames, 4 * units))

        def kernel_order(gates):  # Keras has input, forget, cell, output; BlockLSTM input, cell, forget, output
            i, f, c, o = tf.split(gates, 4, axis=-1)
            return tf.concat([i, c, f, o], axis=-1)

        zeros, no_peephole = tf.zeros((batch, units)), tf.zeros((units,))
        outputs = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.constant(frames, tf.int64),
            x=tf.transpose(products, (1, 0, 2)),
            cs_prev=zeros,
            h_prev=zeros,
            # The products are done: the input's half of the matrix is the identity.
            w=kernel_order(tf.concat([tf.eye(4 * units), recurrent], axis=0)),
            wci=no_peephole,
            wcf=no_peephole,
            wco=no_peephole,
            b=kernel_order(bias),
            forget_bias=0.0,  # Keras has it in the bias
            cell_clip=-1.0,
        )
        return outputs.h[-1]


def build(layers: int, settings: Mapping[str, Any], *, seed: int = 0, learning_rate: float = 0.0001) -> keras.Model:
    """Make and compile a network with freshly initialised weights.

    Parameters
    ----------
    layers
        5, 6 or 7: one, two or three Conv3D blocks.
    settings
        Values by their names in ``paper/assumptions.yaml``; those of ``SETTINGS`` are read.
    seed
        Decides the initial weights.
    learning_rate
        Of Adam.

    Returns
    -------
    keras.Model
        From uint8 ``(n, 75, 28, 28, 3)`` RGB to float32 ``(n, 6)`` probabilities in the order of ``EMOTIONS``.
        Compiled with the cross-entropy in its sparse form: labels are class numbers, and the value is that of
        the categorical form on one-hot labels, without making them.

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

    def random(kind):  # a seed of its own for every matrix, so that no two start alike
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
        x = k.SpatialDropout3D(dropout, seed=int(seed), dtype=precision, name=f"dropout_{block}")(x)
        if pool:  # "same", so that both ways of downsampling give the same shapes
            x = k.MaxPooling3D(strides, padding="same", dtype=precision, name=f"pool_{block}")(x)
    x = k.Reshape((INPUT_SHAPE[0], -1), name="frames")(x)
    at_input = settings["lstm_dropout_at"] == "input"
    for number in range(1, settings["lstm_layers"] + 1):
        last = number == settings["lstm_layers"]  # those before it hand on all frames, which FusedLSTM cannot
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
            learning_rate,
            beta_1=settings["beta_1"],
            beta_2=settings["beta_2"],
            loss_scale_factor=FLOAT16_LOSS_SCALE if precision == "mixed_float16" else None,
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def describe(model: keras.Model) -> pd.DataFrame:
    """Layers of `model`, from input to output.

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
