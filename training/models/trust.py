"""How far a model fitted on few rows is trusted: the share of its difference from a baseline that is used."""

from __future__ import annotations

CORRELATION = 0.3  # between symbols' errors on a day: many symbols are worth at most 1 / CORRELATION of them
# Standard errors of a year of one symbol. From 3 on, a bull market passed for a signal: one draw in forty lost 0.04
# nats to the prior. 4, 5 and 6 are equal on windows before 2015 (`training/MEASUREMENTS.md`).
EVIDENCE = 5.0


def independent_rows(rows: float, symbols: int) -> float:
    """Return how many rows of one symbol hold as much information as ``rows`` of ``symbols`` of one market."""
    return rows / (1.0 + (max(symbols, 1) - 1) * CORRELATION)


def trusted_share(rows: float, symbols: int, half: float) -> float:
    """Return n² / (n² + half²) for the n independent rows of a fit: 0 without rows, 1/2 at ``half`` rows, then 1 soon.

    The square, because both what a fit learns and how surely it is known to be learnt grow with n.
    """
    independent = independent_rows(rows, symbols)
    return independent**2 / (independent**2 + half**2)


def with_evidence(share: float, standard_errors: float) -> float:
    """Return a trusted share that evidence from rows outside the fit raises, from ``EVIDENCE`` standard errors on.

    At e > 5 standard errors what is missing to 1 is multiplied by ``25 / e²``: a signal that is beyond doubt is trusted
    however few rows there are.
    """
    return 1.0 - (1.0 - share) * min(1.0, EVIDENCE**2 / standard_errors**2) if standard_errors > 0.0 else share
