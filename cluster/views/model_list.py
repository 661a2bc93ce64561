"""The output of ``fleetcast models list``: the facts of versions as JSON-able values, and as a table."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from cluster.views.model_figures import age, bars_in_words, flatten, headline, origin, size
from cluster.views.wide_table import WideTable
from configs.errors import ModelError
from training.registry.manager import ModelManager
from training.tasks import task_of
from training.validation.verdict import verdict

_LEFT = ("kind", "alias", "bars", "preset", "verdict", "on its test period")


def overview(manager: ModelManager, kinds: list[str]) -> list[dict[str, Any]]:
    """Return the facts of every version, by kind and newest first; an unreadable version has a ``problem``."""
    rows = []
    for kind in kinds:
        aliases = manager.aliases(kind).named()
        for version in reversed(manager.versions(kind)):
            row: dict[str, Any] = {"kind": kind, "version": version}
            row["aliases"] = [alias for alias, target in aliases.items() if target == version]
            try:
                manifest = manager.manifest(kind, version)
                row |= {
                    "created": manifest.created.isoformat(),
                    "age_s": round((datetime.now(UTC) - manifest.created).total_seconds()),
                    "symbols": manifest.symbols,
                    "bytes": manifest.size,
                    "metrics": manifest.metrics,
                    "verdict": asdict(verdict(kind, flatten(manifest.metrics))),
                    **origin(kind, manifest.config),
                }
            except ModelError as error:
                row["problem"] = str(error)
            rows.append(row)
    return rows


def _verdict(row: dict[str, Any]) -> str:
    """Return a version's verdict and the loss that it is about."""
    status: str = row["verdict"]["status"]
    return status if status == "not tested" else f"{status} ({task_of(row['kind']).loss_title})"


def overview_table(rows: list[dict[str, Any]]) -> WideTable:
    """Return the overview as a table."""
    lines = []
    for row in rows:
        start = [row["version"], row["kind"], " ".join(row["aliases"])]
        if "problem" in row:
            lines.append([*start, "", "", "", "", "", "", "", row["problem"]])
            continue
        lines.append(
            [
                *start,
                f"{row['symbols']:,}",
                "" if row["horizon"] is None else str(row["horizon"]),
                bars_in_words(row["bars"]),
                row["preset"] or "",
                age(row["age_s"]),
                size(row["bytes"]),
                _verdict(row),
                headline(row["kind"], row["metrics"]),
            ]
        )
    names = ["version", "kind", "alias", "symbols", "horizon", "bars", "preset", "age", "size", "verdict"]
    return WideTable([*names, "on its test period"], lines, left=_LEFT)
