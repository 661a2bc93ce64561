"""Rows of alternative data that break a rule, with the rule; they are stored and reported, and never used."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.bars.quarantine import count_by_rule

RULES = {
    "no_publication_time": "it is not known when the row was published",
    "future": "the publication or retrieval lies in the future",
    "unreadable_period": "the date of the value is missing or cannot be read",
    "not_a_number": "a value is missing or not a number",
    "implied_volatility_out_of_range": "an implied volatility is outside 0 … 5; it is a fraction, so that 0.25 is 25 %",
    "score_out_of_range": "a score is outside −1 … 1, or a relevance outside 0 … 1",
    "unusable_quote": "a strike, a price or a right of an option cannot be read",
    "no_text": "the text is empty and has no score",
    "no_name": "the name of the series, event or symbol is missing or too long",
    "derived_from_chains": "the lake has the figure from the symbol's option chains; rename the column (atm_iv30)",
    "name_taken": "another name is stored that differs in case or punctuation only; both would be the same features",
    "revised_without_vintage": "another value is stored for the same period and publication time",
}
COLUMNS = ("table", "rule", "row", "source")
RECEIVED = ("retrieved_at", "scored_at")
"""When a row was received: rows that differ in it only are the same row."""
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class RefusedRows:
    """Rows that break a rule: ``frame`` has the columns ``table, rule, row`` (the row as JSON) and ``source``."""

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    def counts(self) -> dict[str, int]:
        """Return the number of rows by rule, in the order of ``RULES``."""
        return count_by_rule(self.frame, RULES)

    @staticmethod
    def empty() -> RefusedRows:
        """Return no rows."""
        return RefusedRows(pd.DataFrame({name: pd.Series(dtype="str") for name in COLUMNS}))


class Checked:
    """The rows of a table, each with the first rule that it breaks."""

    def __init__(self, table: str, frame: pd.DataFrame, source: str) -> None:
        self.table, self.frame, self.source = table, frame, source
        self.rule = np.full(len(frame), "", object)

    def refuse(self, broken: npt.NDArray[np.bool_], rule: str) -> None:
        """Mark rows that break a rule and none before."""
        assert rule in RULES
        self.rule[broken & (self.rule == "")] = rule

    @property
    def is_good(self) -> npt.NDArray[np.bool_]:
        """Whether each row breaks no rule, (N,)."""
        return np.asarray(self.rule == "", np.bool_)

    def refused(self) -> RefusedRows:
        """Return the rows that break a rule, as they were given."""
        rows = self.frame[~self.is_good].drop(columns=list(RECEIVED), errors="ignore")
        texts = [json.dumps(row, default=str, ensure_ascii=False)[:_LONGEST] for row in rows.to_dict("records")]
        rules = self.rule[~self.is_good].astype(str)
        table = {"table": self.table, "rule": rules, "row": texts, "source": self.source}
        return RefusedRows(pd.DataFrame(table, columns=list(COLUMNS)).astype("str"))
