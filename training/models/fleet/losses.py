"""Losses of a fleet: ``(outputs (S, B, O), targets (S, B, K)) -> (S, B)``, one number a window."""

from __future__ import annotations

from training.models.fleet.backend import Tensor, ops


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return ``−log softmax(outputs)[class]`` (…) in nats; outputs (…, K), ``targets[..., 0]`` the class as a float."""
    label = ops.cast(targets[:, :, 0], "int32")
    chosen = ops.one_hot(label, outputs.shape[-1], dtype=outputs.dtype)
    return ops.logsumexp(outputs, axis=-1) - ops.sum(outputs * chosen, axis=-1)


def corrected_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return ``−log softmax(outputs + targets[..., 1:])[class]``: the network corrects a base forecast's logits."""
    return cross_entropy(outputs + targets[:, :, 1:], targets)


def qlike(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return QLIKE ``y/f − ln(y/f) − 1`` with ``ln f = targets[..., 1] + outputs[..., 0]``, ``ln y = targets[..., 0]``.

    The network corrects a base forecast in logarithms, so zero outputs are the base forecast itself. The ratio is
    capped at e⁶ so that one broken bar cannot dominate a step.

    References
    ----------
    Patton (2011). Volatility forecast comparison using imperfect volatility proxies. J. Econometrics 160, eq. 24.
    """
    log_ratio = ops.clip(targets[:, :, 0] - targets[:, :, 1] - outputs[:, :, 0], -20.0, 6.0)
    return ops.exp(log_ratio) - log_ratio - 1.0
