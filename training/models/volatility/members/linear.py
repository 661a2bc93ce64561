"""The linear member: the regression with all features, which the other members correct (:mod:`..regression`)."""

from __future__ import annotations

from training.models.volatility.member import MemberSpec

SPEC = MemberSpec(name="linear", title="its own linear member", forecast=lambda inputs, fleet: inputs.base, share=1.0)
