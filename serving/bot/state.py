"""What a bot carries from one step to the next, as JSON."""

from __future__ import annotations

from typing import Any, Self


class BotState:
    """The account, and what the strategy holds, after a step."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON, from which :meth:`of_json` makes an equal one, bit for bit."""
        raise NotImplementedError

    @classmethod
    def of_json(cls, stored: dict[str, Any]) -> Self:
        """Return the state that was stored."""
        raise NotImplementedError
