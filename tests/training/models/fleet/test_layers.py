"""The fleet layers against Keras' own, outputs and gradients, one symbol at a time."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from configs import NetworkConfig
from training.models.fleet.gather import gather_windows, needed_bars
from training.models.fleet.layers import fleet_attention, fleet_layer_norm, fleet_lstm
from training.models.fleet.network import FleetNetwork

S, B, T, D, U = 3, 5, 6, 4, 8


def time_major(x):  # (S, B, T, D) to (S, T·B, D)
    return np.ascontiguousarray(x.transpose(0, 2, 1, 3)).reshape(len(x), -1, x.shape[-1])


def keras_order(gates):  # i, f, o, g to Keras' i, f, g, o
    i, f, o, g = np.split(gates, 4, axis=-1)
    return np.concatenate([i, f, g, o], axis=-1)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_lstm_outputs_and_gradients_equal_keras(rng):
    x = rng.standard_normal((S, B, T, D)).astype(np.float32)
    kernel, recurrent, bias = (
        rng.standard_normal(shape).astype(np.float32) * 0.5 for shape in ((S, D, 4 * U), (S, U, 4 * U), (S, 4 * U))
    )
    seed = rng.standard_normal((S, B, T, U)).astype(np.float32)
    last_seed = rng.standard_normal((S, B, U)).astype(np.float32)
    fleet_inputs = [tf.constant(v) for v in (time_major(x), kernel, recurrent, bias)]
    with tf.GradientTape() as tape:
        tape.watch(fleet_inputs)
        states, last = fleet_lstm(*fleet_inputs, steps=T)
        total = tf.reduce_sum(states * time_major(seed)) + tf.reduce_sum(last * last_seed)
    d_x, d_kernel, d_recurrent, d_bias = (g.numpy() for g in tape.gradient(total, fleet_inputs))
    for s in range(S):
        layer = keras.layers.LSTM(U, return_sequences=True)
        layer.build((None, T, D))
        layer.set_weights([keras_order(kernel[s]), keras_order(recurrent[s]), keras_order(bias[s])])
        one = tf.constant(x[s])
        with tf.GradientTape() as tape:
            tape.watch(one)
            expected = layer(one)
            total = tf.reduce_sum(expected * seed[s]) + tf.reduce_sum(expected[:, -1] * last_seed[s])
        g_x, *g_weights = tape.gradient(total, [one, *layer.trainable_variables])
        mine = states.numpy()[s].reshape(T, B, U).transpose(1, 0, 2)
        np.testing.assert_allclose(mine, expected, atol=1e-5)
        np.testing.assert_allclose(last[s], expected[:, -1], atol=1e-5)
        np.testing.assert_allclose(d_x[s].reshape(T, B, D).transpose(1, 0, 2), g_x, atol=1e-4)
        for got, want in zip((d_kernel[s], d_recurrent[s], d_bias[s]), g_weights, strict=True):
            np.testing.assert_allclose(keras_order(got), want, atol=1e-4)


def test_attention_equals_keras_with_the_last_state_as_query(rng):
    heads = 2
    x = rng.standard_normal((S, B, T, U)).astype(np.float32)
    query, key, value, output = (rng.standard_normal((S, U, U)).astype(np.float32) for _ in range(4))
    rows, last = tf.constant(time_major(x)), tf.constant(x[:, :, -1])
    got = fleet_attention(rows, last, query, key, value, output, steps=T, heads=heads).numpy()
    for s in range(S):
        layer = keras.layers.MultiHeadAttention(heads, U // heads, use_bias=False)
        layer.build((None, 1, U), (None, T, U))
        split = (U, heads, U // heads)
        layer.set_weights(
            [query[s].reshape(split), key[s].reshape(split), value[s].reshape(split), output[s].reshape(heads, -1, U)]
        )
        np.testing.assert_allclose(got[s], layer(x[s][:, -1:], x[s])[:, 0], atol=1e-4)


def test_layer_norm_equals_keras(rng):
    x = rng.standard_normal((S, B, U)).astype(np.float32)
    scale, offset = (rng.standard_normal((S, U)).astype(np.float32) for _ in range(2))
    got = fleet_layer_norm(tf.constant(x), scale, offset).numpy()
    for s in range(S):
        layer = keras.layers.LayerNormalization(epsilon=1e-3)
        layer.build((None, U))
        layer.set_weights([scale[s], offset[s]])
        np.testing.assert_allclose(got[s], layer(x[s]), atol=1e-5)


def test_initial_weights_depend_on_seed_and_symbol_only():
    network = FleetNetwork(NetworkConfig(window=T, lstm_units=(U,), attention_heads=2), features=D, outputs=3)
    both = network.initial_weights(["AAPL", "MSFT"], seed=1)
    np.testing.assert_array_equal(both[1], network.initial_weights(["MSFT"], seed=1)[0])
    assert not np.array_equal(both[0], both[1])
    assert not np.array_equal(both[0], network.initial_weights(["AAPL"], seed=2)[0])
    assert both.shape == (2, network.parameters)


def test_any_mix_of_rows_is_one_forward_pass(rng):
    network = FleetNetwork(NetworkConfig(window=T, lstm_units=(U, U), attention_heads=2), features=D, outputs=3)
    weights = rng.standard_normal((4, network.parameters)).astype(np.float32)
    x = rng.standard_normal((4, T * B, D)).astype(np.float32)
    together = network.apply(weights, x).numpy()
    mix = [2, 0, 2, 3, 1]
    np.testing.assert_allclose(network.apply(weights[mix], x[mix]).numpy(), together[mix], atol=1e-5)


@pytest.mark.parametrize("units", [(U,), (U, U)])
def test_projecting_each_bar_once_changes_nothing(rng, units):
    network = FleetNetwork(NetworkConfig(window=T, lstm_units=units, attention_heads=2), features=D, outputs=3)
    weights = rng.standard_normal((S, network.parameters)).astype(np.float32)
    buffer = rng.standard_normal((S, 40, D)).astype(np.float32)
    ends = rng.permuted(np.tile(np.arange(T - 1, 40, dtype=np.int32), (S, 1)), axis=1)[:, :B]
    expected = network.apply(weights, gather_windows(buffer, ends, T))
    np.testing.assert_allclose(network.apply_to_bars(weights, buffer, ends), expected, atol=1e-5)
    bars, positions = needed_bars(buffer, ends, T)
    assert bars.shape[1] <= min(B * T, 40)
    np.testing.assert_allclose(network.apply_to_bars(weights, bars, positions), expected, atol=1e-5)
