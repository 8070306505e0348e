"""Where a network looks: gradient maps, occlusion maps, and the features behind its answer.

Both kinds of map say how much the *evidence* for an emotion depends on a place in a sequence. The evidence is the
emotion's score before the softmax minus the mean score of all six: unlike the probability it still grows where the
network is sure.

- The gradient (Simonyan et al. 2014): how much the evidence changes with a pixel, for every pixel of every frame.
- Occlusion (Zeiler & Fergus 2014): how much the evidence falls if a patch is painted over in a block of frames.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from lib.training.backend import keras, tf
from lib.training.network import INPUT_SHAPE

#: Name of the network's last layer.
_LAST = "emotion"


class Probe:
    """Looks into a network.

    Parameters
    ----------
    model
        A network of `lib.training.network`.
    batch
        Number of sequences that are computed at once.
    """

    def __init__(self, model: keras.Model, batch: int = 32):
        self._model, self._batch = model, batch

    def features(self, sequences: np.ndarray) -> np.ndarray:
        """Output of the last but one layer, float32 (n, units), for `sequences`, uint8 (n, 75, 28, 28, 3)."""
        return self._in_batches(self._features, sequences)

    def evidence(self, sequences: np.ndarray) -> np.ndarray:
        """Evidence for each emotion, float32 (n, 6), in `sequences`, uint8 (n, 75, 28, 28, 3)."""
        return self._in_batches(self._evidence, sequences)

    def gradient(self, sequences: np.ndarray, emotions: np.ndarray) -> np.ndarray:
        """Gradient maps: the slope of the evidence by each pixel, its size summed over red, green and blue.

        Parameters
        ----------
        sequences : uint8 (n, 75, 28, 28, 3)
        emotions : int (n,)
            Number in ``EMOTIONS`` of the emotion whose evidence is explained, for each sequence.

        Returns
        -------
        float32 (n, 75, 28, 28)
            0 where a pixel is black, that is outside the face.
        """
        slopes = self._in_batches(self._slopes, sequences, np.asarray(emotions, np.int32))
        return slopes * sequences.any(axis=-1)

    def occlusion(self, sequences: np.ndarray, emotions: np.ndarray, frames: int = 15, patch: int = 4) -> np.ndarray:
        """Occlusion maps: by how much the evidence falls if a patch is painted over.

        A patch takes the mean colour of the sequence's face, only where there is face.

        Parameters
        ----------
        sequences, emotions
            As for `gradient`.
        frames
            Frames of a block, a divisor of 75.
        patch
            Rows and columns of a patch in pixels, a divisor of 28.

        Returns
        -------
        float32 (n, 75 / frames, 28 / patch, 28 / patch)
            0 where a patch has no face.
        """
        return np.stack([self._occluded(s, e, frames, patch) for s, e in zip(sequences, emotions, strict=True)])

    def _occluded(self, sequence: np.ndarray, emotion: int, frames: int, patch: int) -> np.ndarray:
        """The occlusion map of one sequence."""
        face = np.asarray(sequence.any(axis=-1))
        blocks = (INPUT_SHAPE[0] // frames, INPUT_SHAPE[1] // patch, INPUT_SHAPE[2] // patch)
        places = np.argwhere(face.reshape(blocks[0], frames, blocks[1], patch, blocks[2], patch).any(axis=(1, 3, 5)))
        colour = np.round(sequence[face].mean(axis=0)).astype(np.uint8)
        painted = np.where(face[..., None], colour, sequence)
        copies = np.repeat(sequence[None], len(places) + 1, axis=0)  # the last one stays as it is
        for copy, corner in zip(copies, places * (frames, patch, patch), strict=False):
            area = tuple(slice(first, first + size) for first, size in zip(corner, (frames, patch, patch), strict=True))
            copy[area] = painted[area]
        evidence = self.evidence(copies)[:, emotion]
        falls = np.zeros(blocks, np.float32)
        falls[tuple(places.T)] = evidence[-1] - evidence[:-1]
        return falls

    def _in_batches(self, graph, *arrays: np.ndarray) -> np.ndarray:
        """Results of `graph`, one batch of `arrays` at a time."""
        starts = range(0, len(arrays[0]), self._batch)
        parts = ([tf.constant(array[start : start + self._batch]) for array in arrays] for start in starts)
        return np.concatenate([graph(*part).numpy() for part in parts])

    def _through(self, pixels):
        """Output of the last but one layer for `pixels`, float32; without dropout."""
        for layer in self._model.layers[1:]:  # the first takes whole numbers, which have no gradient
            if layer.name == _LAST:
                break
            pixels = layer(pixels)
        return pixels

    def _weighed(self, features):
        """Evidence for each emotion from the features."""
        last = self._model.get_layer(_LAST)
        scores = tf.matmul(features, tf.convert_to_tensor(last.kernel)) + last.bias
        return scores - tf.reduce_mean(scores, axis=1, keepdims=True)

    @cached_property
    def _features(self):
        return _graph(lambda x: self._through(tf.cast(x, tf.float32)))

    @cached_property
    def _evidence(self):
        return _graph(lambda x: self._weighed(self._through(tf.cast(x, tf.float32))))

    @cached_property
    def _slopes(self):
        def slopes(x, emotion):
            x = tf.cast(x, tf.float32)
            with tf.GradientTape() as tape:
                tape.watch(x)
                explained = tf.gather(self._weighed(self._through(x)), emotion, axis=1, batch_dims=1)
            return tf.reduce_sum(tf.abs(tape.gradient(explained, x)), axis=-1)

        return _graph(slopes, tf.TensorSpec((None,), tf.int32))


def _graph(function, *more):
    """`function` as a graph for batches of any size: of sequences and of what `more` describes."""
    graph = tf.function(function, input_signature=[tf.TensorSpec((None, *INPUT_SHAPE), tf.uint8), *more])
    return graph.get_concrete_function()
