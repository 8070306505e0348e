"""The networks: the paper's layers, and our fast forms of Keras' layers give Keras' numbers."""

import numpy as np
import pytest

from lib.study import publication
from lib.training import network
from lib.training.backend import keras, tf
from lib.training.layers import _kernel_order, _recur
from lib.training.loop import configure, load_model

configure(threads=1)


@pytest.fixture
def settings():
    return {name: assumption.value for name, assumption in publication.assumptions().items()}


def noise(*shape):
    return np.random.default_rng(list(shape)).normal(1, 3, shape).astype(np.float32)


@pytest.mark.parametrize(("layers", "parameters"), [(5, 823110), (6, 435686), (7, 352038)])
@pytest.mark.parametrize("downsampling", ["stride", "pool"])
def test_layers_are_the_papers(settings, layers, parameters, downsampling):
    model = network.build(layers, settings | {"downsampling": downsampling})
    table = network.describe(model)
    blocks = layers - 4
    assert model.count_params() == table["parameters"].sum() == parameters
    assert [(table["kind"] == kind).sum() for kind in ("Conv3D", "BatchNormalization", "SpatialDropout3D")] == [
        blocks
    ] * 3
    assert table.set_index("layer")["output"]["frames"].startswith("75×")
    side = {1: 14, 2: 7, 3: 4}[blocks]
    assert table.set_index("layer")["output"]["frames"] == f"75×{side * side * settings['filters'][blocks - 1]}"
    assert model.input.dtype == "uint8"
    assert model.output.dtype == "float32"


def test_read_literally_no_picture_is_made_smaller(settings):
    table = network.describe(network.build(6, settings | {"downsampling": "none"})).set_index("layer")
    assert table["output"]["frames"] == f"75×{28 * 28 * 32}" and not table["kind"].str.contains("Pool").any()


def test_the_lstm_may_have_two_layers_and_its_dropout_behind_it(settings):
    faces = np.random.default_rng(0).integers(0, 256, (2, 75, 28, 28, 3), dtype=np.uint8)
    model = network.build(5, settings | {"lstm_layers": 2, "lstm_dropout_at": "output", "lstm_dropout": 0.5})
    table = network.describe(model).set_index("layer")
    assert table["output"][["lstm_1", "lstm"]].tolist() == ["75×64", "64"]
    assert table["kind"][["dropout_lstm_1", "dropout_lstm"]].tolist() == ["Dropout", "Dropout"]
    assert [layer.dropout for layer in model.layers if "lstm" in layer.name and "dropout" not in layer.name] == [0, 0]
    labels = np.zeros(2)
    before = [weights.copy() for weights in model.get_weights()]
    model.train_on_batch(faces, labels)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_output_is_a_distribution(settings):
    model = network.build(7, settings)
    faces = np.random.default_rng(0).integers(0, 256, (3, 75, 28, 28, 3), dtype=np.uint8)
    probabilities = model(faces).numpy()
    assert probabilities.shape == (3, 6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_seed_decides_the_weights(settings):
    first, again, other = (network.build(6, settings, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_a_whole_number_is_a_learning_rate(settings):
    assert float(network.build(5, settings, learning_rate=1).optimizer.learning_rate) == 1


def test_wrong_settings_are_named(settings):
    with pytest.raises(ValueError, match="settings lack kernel"):
        network.build(6, {name: value for name, value in settings.items() if name != "kernel"})
    with pytest.raises(ValueError, match="not one of 5, 6, 7"):
        network.build(8, settings)
    with pytest.raises(ValueError, match="'stride', 'pool' or 'none'"):
        network.build(6, settings | {"downsampling": "average"})
    with pytest.raises(ValueError, match="filters name 1 blocks"):
        network.build(6, settings | {"filters": [16]})


def values_and_gradients(layer, x, target, training):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        loss = tf.reduce_sum(y * target)
    return [y, *tape.gradient(loss, [x, *layer.trainable_variables])]


@pytest.mark.parametrize("training", [True, False])
def test_fused_batch_norm_is_keras(training):
    x, target = noise(4, 5, 6, 7, 3), noise(4, 5, 6, 7, 3)
    ours, theirs = network.FusedBatchNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)
    start = [np.array([0.5, 1, 2]), np.array([-1, 0, 3]), np.array([1, 1.5, -2]), np.array([0.1, 1, 9])]
    for layer in (ours, theirs):
        layer.build(x.shape)
        layer.set_weights(start)
    for _ in range(3):
        for a, b in zip(*(values_and_gradients(layer, x, target, training) for layer in (ours, theirs)), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5 * max(1, np.abs(b).max()))
    moving = zip(ours.get_weights(), theirs.get_weights(), strict=True)
    assert all(np.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in moving)


@pytest.mark.parametrize("training", [True, False])
def test_fused_lstm_is_keras(training):
    x, target = noise(5, 75, 20) / 3, noise(5, 8)
    ours, theirs = (kind(8, dropout=0.3, seed=4) for kind in (network.FusedLSTM, keras.layers.LSTM))
    for layer in (ours, theirs):
        layer.build(x.shape)
        layer.set_weights([noise(20, 32) / 9, noise(8, 32) / 9, noise(32) / 9])
    for a, b in zip(*(values_and_gradients(layer, x, target, training) for layer in (ours, theirs)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(1, np.abs(b).max()))


def test_gradient_of_the_lstm_is_block_lstms_to_the_last_bit():
    """Recorded trainings were made with the kernel BlockLSTMGrad, and no committed number may change."""
    rng = np.random.default_rng(3)
    for batch in (2, 7, 8, 32):
        products, recurrent, bias = (
            tf.constant(rng.normal(size=shape), tf.float32) for shape in ((75, batch, 256), (64, 256), (256,))
        )
        with tf.GradientTape() as tape:
            tape.watch([products, recurrent, bias])
            last = _recur(products, recurrent, bias)
            loss = tf.reduce_sum(last * last)
        ours = tape.gradient(loss, [products, recurrent, bias])

        weights = _kernel_order(tf.concat([tf.eye(256), recurrent], axis=0))
        zeros, none = tf.zeros((batch, 64)), tf.zeros(64)
        start = {"seq_len_max": tf.constant(75, tf.int64), "x": products, "cs_prev": zeros, "h_prev": zeros}
        start |= {"w": weights, "wci": none, "wcf": none, "wco": none, "b": _kernel_order(bias)}
        gates = tf.raw_ops.BlockLSTM(**start, forget_bias=0.0, cell_clip=-1.0)
        assert np.array_equal(last, gates.h[-1])
        of_output = tf.concat([tf.zeros((74, batch, 64)), 2 * last[None]], axis=0)
        theirs = tf.raw_ops.BlockLSTMGrad(
            **start, **gates._asdict(), cs_grad=tf.zeros_like(gates.cs), h_grad=of_output, use_peephole=False
        )
        expected = theirs.x_grad, _kernel_order(theirs.w_grad[256:]), _kernel_order(theirs.b_grad)
        for name, a, b in zip(("products", "recurrent", "bias"), ours, expected, strict=True):
            assert np.array_equal(a, b), (batch, name)


@pytest.mark.parametrize("training", [True, False])
def test_scaled_dropout_is_keras(training):
    x, target = noise(6, 4, 3, 3, 5), noise(6, 4, 3, 3, 5)
    kinds = (network.ScaledSpatialDropout3D, keras.layers.SpatialDropout3D)
    ours, theirs = ([values_and_gradients(kind(0.3, seed=4), x, target, training)] for kind in kinds)
    assert all(np.array_equal(a, b) for a, b in zip(*ours, *theirs, strict=True))
    assert (ours[0][0].numpy() == 0).any() == training


def test_saved_network_is_the_same(settings, tmp_path):
    model = network.build(5, settings | {"filters": [2, 2, 2]}, seed=3)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    faces = np.random.default_rng(0).integers(0, 256, (2, 75, 28, 28, 3), dtype=np.uint8)
    np.testing.assert_array_equal(model(faces), again(faces))


def test_sixteen_bits_stay_in_the_convolution_blocks(settings):
    for layer in network.build(6, settings).layers:
        assert layer.compute_dtype == "float32", layer.name
    mixed = network.build(6, settings | {"precision": "mixed_bfloat16"})
    reduced = [layer.name for layer in mixed.layers if layer.compute_dtype == "bfloat16"]
    kinds = ("conv", "leaky_relu", "batch_norm", "dropout")
    assert reduced == [f"{kind}_{block}" for block in (1, 2) for kind in kinds]
    assert {variable.dtype for variable in mixed.weights if "seed" not in variable.path} == {"float32"}
    assert mixed.output.dtype == "float32"
    with pytest.raises(ValueError, match="precision is 'float64', not one of float32"):
        network.build(6, settings | {"precision": "float64"})
