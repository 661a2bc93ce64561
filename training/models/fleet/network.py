"""The network of a fleet: LSTM layers, multi-head attention, a linear head; as a function of ``(S, P)`` weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from configs.models import NetworkConfig
from training.models.fleet.backend import Tensor, ops
from training.models.fleet.layers import (
    fleet_attention,
    fleet_dense,
    fleet_layer_norm,
    fleet_lstm,
    fleet_lstm_over_bars,
)

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FleetNetwork:
    """One architecture: ``features`` inputs a bar, ``outputs`` numbers a window.

    LSTM layers → multi-head attention queried by the last state, added to it → layer norm → dropout → linear.
    ``layout`` lists each parameter's name and shape in the order in which a row of the weights holds them.

    Examples
    --------
    >>> network = FleetNetwork(NetworkConfig(window=4, lstm_units=(8,)), features=3, outputs=3)
    >>> weights = network.initial_weights(["AAPL", "MSFT"], seed=7)
    >>> windows = np.zeros((2, 4 * 5, 3), np.float32)  # 5 windows a symbol, time-major
    >>> tuple(network.apply(weights, windows).shape)
    (2, 5, 3)
    """

    config: NetworkConfig
    features: int
    outputs: int
    layout: tuple[tuple[str, tuple[int, ...]], ...] = field(init=False)

    def __post_init__(self) -> None:
        heads = self.config.attention_heads
        shapes: list[tuple[str, tuple[int, ...]]] = []
        width = self.features
        for layer, units in enumerate(self.config.lstm_units):
            shapes += [
                (f"lstm{layer}/kernel", (width, 4 * units)),
                (f"lstm{layer}/recurrent", (units, 4 * units)),
                (f"lstm{layer}/bias", (4 * units,)),
            ]
            width = units
        if heads:
            shapes += [(f"attention/{name}", (width, width)) for name in ("query", "key", "value", "output")]
        shapes += [("norm/scale", (width,)), ("norm/offset", (width,))]
        shapes += [("head/kernel", (width, self.outputs)), ("head/bias", (self.outputs,))]
        object.__setattr__(self, "layout", tuple(shapes))

    @property
    def parameters(self) -> int:
        """P, the number of weights of one symbol's network."""
        return sum(math.prod(shape) for _, shape in self.layout)

    @property
    def flops_per_window(self) -> int:
        """Floating-point operations of one forward pass over one window, matrix products only."""
        steps, width, total = self.config.window, self.features, 0
        for units in self.config.lstm_units:
            total += 2 * steps * (width + units) * 4 * units
            width = units
        if heads := self.config.attention_heads:
            total += 2 * 4 * width * width + 2 * 2 * steps * heads * width
        return total + 2 * width * self.outputs

    def initial_weights(self, symbols: Sequence[str], seed: int) -> Float32:
        """Return (S, P) weights; a symbol's row depends on ``(seed, symbol)`` only, never on its position.

        Kernels are Glorot uniform, recurrent kernels orthogonal, forget biases 1; the head starts at zero, so an
        untrained network's outputs are zero: it corrects nothing.
        """
        return np.stack([self._initial_row(symbol_generator(seed, symbol, "weights")) for symbol in symbols])

    def _initial_row(self, rng: np.random.Generator) -> Float32:
        parts = []
        for name, shape in self.layout:
            kind = name.split("/")[1]
            if kind == "recurrent":
                square = rng.standard_normal((shape[1], shape[0]))
                q, r = np.linalg.qr(square)
                value = (q * np.sign(np.diag(r))).T
            elif name == "head/kernel" or kind == "offset":
                value = np.zeros(shape)
            elif kind == "bias":
                value = np.zeros(shape)
                if name != "head/bias":
                    value[shape[0] // 4 : shape[0] // 2] = 1.0
            elif kind == "scale":
                value = np.ones(shape)
            else:
                limit = math.sqrt(6.0 / (shape[0] + shape[1]))
                value = rng.uniform(-limit, limit, shape)
            parts.append(value.ravel())
        return np.concatenate(parts).astype(np.float32)

    def unpack(self, weights: Tensor) -> dict[str, Tensor]:
        """Return named parameters (S, *shape) from weights (S, P)."""
        sizes = [math.prod(shape) for _, shape in self.layout]
        parts = ops.split(weights, np.cumsum(sizes)[:-1].tolist(), axis=1)
        return {name: ops.reshape(part, (-1, *shape)) for (name, shape), part in zip(self.layout, parts, strict=True)}

    def scale_outputs(self, weights: Float32, factor: npt.ArrayLike) -> Float32:
        """Return weights (S, P) whose networks' outputs are those of ``weights`` times ``factor`` (S,)."""
        head = sum(math.prod(shape) for name, shape in self.layout if name.startswith("head/"))
        scaled = weights.copy()
        scaled[:, -head:] *= np.asarray(factor, np.float32)[:, None]
        return scaled

    def apply(self, weights: Tensor, windows: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the head's outputs (S, B, outputs).

        Parameters
        ----------
        weights
            (S, P).
        windows
            (S, T·B, features), time-major rows (see :mod:`training.models.fleet.layers`).
        keep
            Dropout mask (S, B, U) of the last hidden layer, already scaled by 1 / (1 - rate); ``None`` to predict.
        """
        named = self.unpack(weights)
        return self._above(named, *fleet_lstm(windows, *_lstm(named, 0), self.config.window), keep)

    def apply_to_bars(self, weights: Tensor, bars: Tensor, ends: Tensor) -> Tensor:
        """Return the outputs (S, B, outputs) of the windows that end at ``ends`` (S, B) in ``bars`` (S, N, features).

        The same numbers as :meth:`apply` on gathered windows, in about half the time where windows overlap.
        """
        named = self.unpack(weights)
        return self._above(named, *fleet_lstm_over_bars(bars, ends, *_lstm(named, 0), self.config.window))

    def _above(self, named: dict[str, Tensor], x: Tensor, state: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the outputs, given every state (S, T·B, U) of the first layer and the last ones (S, B, U)."""
        steps = self.config.window
        for layer in range(1, len(self.config.lstm_units)):
            x, state = fleet_lstm(x, *_lstm(named, layer), steps)
        if heads := self.config.attention_heads:
            projections = [named[f"attention/{name}"] for name in ("query", "key", "value", "output")]
            state = state + fleet_attention(x, state, *projections, steps=steps, heads=heads)
        state = fleet_layer_norm(state, named["norm/scale"], named["norm/offset"])
        if keep is not None:
            state = state * keep
        return fleet_dense(state, named["head/kernel"], named["head/bias"])


def _lstm(named: dict[str, Tensor], layer: int) -> tuple[Tensor, Tensor, Tensor]:
    return named[f"lstm{layer}/kernel"], named[f"lstm{layer}/recurrent"], named[f"lstm{layer}/bias"]


def symbol_generator(seed: int, symbol: str, purpose: str) -> np.random.Generator:
    """Return a random generator that depends on the run's seed, the symbol and the purpose only."""
    entropy = [seed, *symbol.encode(), 0, *purpose.encode()]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
