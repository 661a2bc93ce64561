"""How files and frames of bars are read, where their content does not decide it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from configs.values import Frozen, format_of_dates

BarField = Literal["date", "time", "symbol", "open", "high", "low", "close", "adj_close", "volume", "splits"]


class ReadingConfig(Frozen):
    """What a file's content cannot decide; null and empty settings are decided from the content."""

    columns: dict[BarField, str] = Field(default_factory=dict)
    """The column of a field, such as ``{date: Zeit, close: Schluss}``; columns of a file without a header are numbers
    from 1 on, and ``close: "*"`` reads a matrix of closes with one column per symbol."""
    symbol_column: str | None = None
    """The column that names the instrument."""
    date_format: Annotated[str, AfterValidator(format_of_dates)] | None = None
    """How dates are written, such as ``%d/%m/%Y``."""
    decimal: Literal[".", ","] | None = None
    """The decimal mark."""
    timezone: str | None = None
    """The zone of times without one and of the sessions of UTC times, such as ``Europe/Berlin``."""
    period: Annotated[str, Field(pattern=r"^\d+(s|min|h|d|w|mo)$")] | None = None
    """The period of a bar, such as ``1d`` or ``1h``."""
    max_unpacked_mib: Annotated[int, Field(gt=0, le=1_000_000)] = 512
    """The most that a compressed file may hold, in MiB."""

    @property
    def max_unpacked_bytes(self) -> int:
        """``max_unpacked_mib`` in bytes."""
        return self.max_unpacked_mib * 2**20

    @property
    def is_default(self) -> bool:
        """Whether nothing is said about the content."""
        return self.model_copy(update={"max_unpacked_mib": ReadingConfig().max_unpacked_mib}) == ReadingConfig()
