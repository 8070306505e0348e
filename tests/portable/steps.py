"""Digests of everything that a number passes through: ``python tests/portable/steps.py [PART ...]``.

Run it on another processor, or under an emulated one, and compare: the lines must be the same. `emulated.py` does.
"""

import lib  # noqa: F401, I001  before NumPy
import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np


def digest(*arrays) -> str:
    """SHA-256 of the arrays' bytes, sixteen digits of it."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array))
    return total.hexdigest()[:16]


def training(layers: int, **changes) -> str:
    """Two steps, of a full and of a smaller last batch, dropout on, then a prediction."""
    from lib.study.publication import assumptions
    from lib.training import loop, network

    loop.configure(1)
    settings = {name: entry.value for name, entry in assumptions().items()} | {"filters": [8, 8, 16]} | changes
    rng = np.random.default_rng([layers, 1])
    # a batch of nine: one packet of eight and a rest, for kernels that vectorise over the batch
    sequences = rng.integers(0, 256, (9, *network.INPUT_SHAPE), dtype=np.uint8)
    labels = rng.integers(0, 6, 9).astype(np.int32)
    model = network.build(layers, settings, seed=3, learning_rate=0.001)
    model.optimizer.build(model.trainable_variables)
    loop._seed_dropout(model, 3, 1)
    step = loop._step(model)
    losses = [float(step(sequences[:size], labels[:size])[0]) for size in (9, 3)]
    probabilities = loop.predict(model, sequences, np.arange(2), 2)
    return digest(*model.get_weights(), probabilities, np.array(losses))


def masked_clip() -> str:
    """A rendered clip, encoded, decoded, its landmarks and masked faces."""
    from lib.faces.landmarks import FaceMesh
    from lib.faces.masking import mask_clip
    from lib.synthetic.corpus import Clip, render_clip, write_video

    clip = Clip("cremad", "9001_IEO_HAP_HI", 3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "9001_IEO_HAP_HI.flv"
        write_video(path, (frame for frame, _ in render_clip(clip, 2021)), 30000 / 1001, "FLV1")
        masked = mask_clip(path, FaceMesh())
        return digest(np.frombuffer(path.read_bytes(), np.uint8), masked.faces, masked.success, masked.landmarks)


def baseline() -> str:
    """Logistic regression, and the functions of SciPy and NumPy that intervals use."""
    from scipy import stats
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(400, 60)), rng.integers(0, 6, 400)
    model = LogisticRegression(C=0.1, max_iter=5000).fit(x, y)
    values = np.linspace(0.1, 9, 1001)
    functions = [np.exp(-values), np.log(values), np.sin(values), np.tanh(values), values**0.3, stats.t.cdf(values, 7)]
    return digest(model.coef_, model.predict_proba(x), *functions, np.linalg.qr(x)[0], x.T @ x)


def maps() -> str:
    """Maps of attention and features of a network with random weights, as notebook 15 makes them."""
    from lib.measures.attention import Probe
    from lib.study.publication import assumptions
    from lib.training import loop, network

    loop.configure(1)
    settings = {name: entry.value for name, entry in assumptions().items()} | {"filters": [8, 8, 16]}
    sequences = np.random.default_rng(15).integers(0, 256, (3, *network.INPUT_SHAPE), dtype=np.uint8)
    probe, emotions = Probe(network.build(6, settings, seed=3)), np.array([1, 3, 5])
    found = probe.gradient(sequences, emotions), probe.occlusion(sequences[:1], emotions[:1], frames=75, patch=14)
    return digest(*found, probe.features(sequences))


PARTS = {
    "baseline": baseline,
    "masked clip": masked_clip,
    "5 layers": lambda: training(5),
    "6 layers": lambda: training(6),
    "7 layers": lambda: training(7),
    "5 layers, pooling": lambda: training(5, downsampling="pool"),
    "maps": maps,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        sys.stdout.write(f"{name}: {PARTS[name]()}\n")
        sys.stdout.flush()
