"""Keras' layers with faster kernels, and initial weights that are the same on every processor."""

from __future__ import annotations

import numpy as np

from lib.training.backend import environment, keras, tf


@keras.saving.register_keras_serializable(package="lib")
class Orthogonal(keras.initializers.Initializer):
    """Keras' Orthogonal, computed by NumPy: TensorFlow's QR rounds differently depending on the processor's caches."""

    def __init__(self, seed: int):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        """A tensor of `shape` (two axes), float32, with orthonormal rows or columns (Saxe et al. 2014)."""
        normal = np.random.default_rng(self.seed).standard_normal((max(shape), min(shape)))
        q, r = np.linalg.qr(normal)
        q *= np.sign(np.diag(r))
        return tf.constant(q.T if shape[0] < shape[1] else q, dtype or "float32")

    def get_config(self):
        """Configuration that `keras.saving` writes."""
        return {"seed": self.seed}


@keras.saving.register_keras_serializable(package="lib")
class FoldedConv3D(keras.layers.Conv3D):
    """Keras' Conv3D; on a CPU, the gradient of its kernel is computed by one 2-D convolution per frame of the kernel.

    A frame of the kernel is applied to pictures at a fixed distance in time, so its gradient is that of a 2-D
    convolution with the pictures shifted by that distance. oneDNN has a fast kernel for it on AVX2, and none for the
    3-D gradient. Weights and values are the same (to rounding). With strides in time, kernels of one pixel, 16 bits,
    GPUs or native numerics, Keras' own code is used.
    """

    def call(self, inputs):
        """Convolve `inputs`, float32 ``(batch, frames, rows, columns, channels)``."""
        folds = self.strides[0] == 1 and self.padding == "same" and self.compute_dtype == "float32"
        # oneDNN's 2-D gradient of a kernel of one pixel with strides writes past its memory (its issue 6035).
        folds = folds and self.kernel_size[1:] != (1, 1)
        if not folds or tf.config.get_visible_devices("GPU") or environment()["numerics"] == "native":
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
                for ahead in range(-((frames - 1) // 2), frames // 2 + 1):  # frames after the output's frame
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
    """Keras' BatchNormalization of ``(batch, frames, rows, columns, channels)``, with TensorFlow's fused kernel.

    The kernel takes four axes, so frames and rows become one axis; the statistics are over all axes but the channels in
    both cases. On a CPU, Keras' own code takes 41 % of a training step. Weights and values are the same (to rounding).
    """

    def __init__(self, **options):
        super().__init__(**options)
        self.autocast = False  # in mixed precision the kernel takes 16-bit pictures and 32-bit statistics

    def call(self, inputs, training=None, mask=None):
        """Normalise `inputs` (five axes); in training, also update the moving statistics."""
        shape = tf.shape(inputs)
        folded = tf.reshape(inputs, (shape[0], shape[1] * shape[2], shape[3], inputs.shape[4]))
        gamma, beta, moving_mean, moving_variance = (
            tf.convert_to_tensor(v) for v in (self.gamma, self.beta, self.moving_mean, self.moving_variance)
        )
        if training and self.trainable:
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                folded, gamma, beta, epsilon=self.epsilon, is_training=True
            )
            # The kernel returns the sample variance (n - 1), Keras uses the population's (n).
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
class ScaledSpatialDropout3D(keras.layers.SpatialDropout3D):
    """Keras' SpatialDropout3D as one multiplication.

    Keras scales all values and then selects those that are kept, which on a CPU takes three times as long. Here each
    channel is multiplied by its own draw, zero or the scale. Draws and values are the same.
    """

    def call(self, inputs, training=False):
        """Drop channels of `inputs`, ``(batch, frames, rows, columns, channels)``, in training."""
        if not training or not self.rate:
            return inputs
        ones = tf.ones((tf.shape(inputs)[0], 1, 1, 1, inputs.shape[4]), inputs.dtype)
        return inputs * keras.random.dropout(ones, self.rate, seed=self.seed_generator)


@keras.saving.register_keras_serializable(package="lib")
class FusedLSTM(keras.layers.LSTM):
    """Keras' LSTM (last output only), trained on a CPU by TensorFlow's single kernel ``BlockLSTM``.

    Keras multiplies each frame's features by the kernel inside a loop of 75 steps, and sums the kernel's gradient 75
    times. Here one product is taken for all frames, and ``BlockLSTM`` computes only the recurrence. Weights and values
    are the same (to rounding). Outside training, and on a GPU (cuDNN), Keras' own code is used.
    """

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Last output, float32 ``(batch, units)``, of `sequences`, float32 ``(batch, frames, features)``."""
        if not training or mask is not None or initial_state is not None or tf.config.get_visible_devices("GPU"):
            return super().call(sequences, initial_state=initial_state, mask=mask, training=training)
        kernel, recurrent, bias = (
            tf.convert_to_tensor(v) for v in (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        )
        batch, (frames, features) = tf.shape(sequences)[0], sequences.shape[1:]
        if self.dropout:  # one mask for all frames, as Keras has it
            ones = tf.ones((batch, 1, features), sequences.dtype)
            sequences *= keras.random.dropout(ones, self.dropout, seed=self.cell.seed_generator)
        products = tf.reshape(tf.reshape(sequences, (-1, features)) @ kernel, (batch, frames, 4 * self.units))
        return _recur(tf.transpose(products, (1, 0, 2)), recurrent, bias)


def _kernel_order(gates):
    """Gates (last axis) in TensorFlow's order: input, cell, forget, output; or back to Keras': forget before cell."""
    i, f, c, o = tf.split(gates, 4, axis=-1)
    return tf.concat([i, c, f, o], axis=-1)


@tf.custom_gradient
def _recur(products, recurrent, bias):
    """Last output ``(batch, units)`` of an LSTM, from the products ``(frames, batch, 4 units)`` of inputs and kernel.

    The gradient is that of ``BlockLSTMGrad``, to the last bit (but for a batch of one), at a third of its time: that
    kernel also sums the gradient of the identity matrix that stands for the input's weights here.
    """
    frames, units = products.shape[0], recurrent.shape[0]
    zeros, no_peephole = tf.zeros((tf.shape(products)[1], units)), tf.zeros((units,))
    peepholes = {"wci": no_peephole, "wcf": no_peephole, "wco": no_peephole}
    weights = _kernel_order(recurrent)
    gates = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.constant(frames, tf.int64),
        x=products,
        cs_prev=zeros,
        h_prev=zeros,
        # The products are already computed: the input's half of the matrix is the identity.
        w=tf.concat([_kernel_order(tf.eye(4 * units)), weights], axis=0),
        **peepholes,
        b=_kernel_order(bias),
        forget_bias=0.0,  # Keras has it in the bias already
        cell_clip=-1.0,
    )

    def gradient(of_output):
        steps = {name: tf.unstack(getattr(gates, name), frames) for name in ("i", "cs", "f", "o", "ci", "co", "h")}
        before = {name: [zeros, *steps[name][:-1]] for name in ("cs", "h")}
        # this kernel multiplies no matrices: it reads only the sizes of the input and of the weights
        sizes = {"x": zeros[:, :1], "h_prev": zeros, "w": tf.zeros((1 + units, 4 * units)), "b": tf.zeros((4 * units,))}
        of_cell, of_gates = zeros, []
        for frame in reversed(range(frames)):
            cell = tf.raw_ops.LSTMBlockCellGrad(
                **sizes,
                **peepholes,
                **{name: steps[name][frame] for name in ("i", "cs", "f", "o", "ci", "co")},
                cs_prev=before["cs"][frame],
                cs_grad=of_cell,
                h_grad=of_output,
                use_peephole=False,
            )
            of_cell, of_output = cell.cs_prev_grad, tf.matmul(cell.dicfo, weights, transpose_b=True)
            of_gates.append(cell.dicfo)
        # The bias is the weight of an input that is always 1. Frames are added one after the other, from the last to
        # the first: other sums add in other orders, and the last bits would be others.
        inputs = [tf.concat([h, tf.ones_like(h[:, :1])], axis=1) for h in reversed(before["h"])]
        each = tf.matmul(tf.stack(inputs), tf.stack(of_gates), transpose_a=True)
        total = _kernel_order(tf.math.unsorted_segment_sum(each, tf.zeros(frames, tf.int32), 1)[0])
        return _kernel_order(tf.stack(of_gates[::-1])), total[:units], total[units]

    return gates.h[-1], gradient
