"""What ``bench_serving`` compares with, on the same Ray Serve: echoes, and one Keras model per symbol, multiplexed.

The last is the pattern of Ray's documentation on many models: ``@serve.multiplexed`` loads a symbol's model on demand,
``@serve.batch`` batches calls, and Serve splits a batch by model.
"""

from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from ray import serve
from starlette.responses import JSONResponse

echo_api = FastAPI()
_LIMITS = {"max_ongoing_requests": 256, "max_queued_requests": 512, "ray_actor_options": {"num_cpus": 0.1}}


@echo_api.post("/")
async def echo(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body."""
    return body


@serve.deployment(name="echo", **_LIMITS)
@serve.ingress(echo_api)
class Echo:
    """FastAPI that parses a JSON body and returns it."""


@serve.deployment(name="plain", **_LIMITS)
class PlainEcho:
    """No framework: the body's bytes back."""

    async def __call__(self, request: Request) -> Any:
        """Return the body."""
        return JSONResponse({"got": len(await request.body())})


def multiplexed(models: int) -> Any:
    """Return the deployment that keeps at most so many models in a replica."""

    @serve.deployment(name="multiplexed", **_LIMITS)
    class Keras:
        """Keras models of S symbols; each holds its newest window, so a request is only the symbol's name."""

        def __init__(self, windows: np.ndarray, units: int, heads: int) -> None:
            self._windows, self._units, self._heads = windows, units, heads

        @serve.multiplexed(max_num_models_per_replica=models)
        async def load(self, model_id: str) -> Any:
            """Build a symbol's model; its weights do not matter for time."""
            import keras

            inputs = x = keras.Input(self._windows.shape[1:])
            x = keras.layers.LSTM(self._units, return_sequences=True)(x)
            last = x[:, -1:]
            mixed = keras.layers.MultiHeadAttention(self._heads, self._units // self._heads, use_bias=False)(last, x)
            state = keras.layers.LayerNormalization()(keras.layers.Flatten()(last + mixed))
            model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(state))
            model(self._windows[:1], training=False)
            return model

        @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.005)
        async def predict(self, rows: list[int]) -> list[Any]:
            """Forecast the windows of one model's batch."""
            model = await self.load(serve.get_multiplexed_model_id())
            return np.asarray(model(self._windows[np.asarray(rows)], training=False)).tolist()

        async def __call__(self, request: Request) -> Any:
            """Return the probabilities of the symbol that the header names."""
            row = int(serve.get_multiplexed_model_id())
            return JSONResponse({"probabilities": await self.predict(row)})

    return Keras
