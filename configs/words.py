"""Numbers in sentences: counts with their noun, and signed values."""

from __future__ import annotations


def counted(count: float, noun: str) -> str:
    """Return a count with its noun in the singular or plural.

    Examples
    --------
    >>> counted(1, "symbol"), counted(2500, "row"), counted(0, "day")
    ('1 symbol', '2,500 rows', '0 days')
    """
    return f"{count:,.0f} {noun}{'s' * (count != 1)}"


def signed(value: float, digits: int = 4) -> str:
    """Return a value with its sign, as the page shows it.

    Examples
    --------
    >>> signed(-0.5, 2), signed(0.25, 1)
    ('−0.50', '+0.2')
    """
    return f"{value:+.{digits}f}".replace("-", "−")
