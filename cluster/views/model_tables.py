"""The output of ``fleetcast models``: facts as JSON-able values, and the same facts as tables."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from cluster.views.wide_table import WideTable
from configs.errors import ModelError
from training.metrics.comparison import MetricSummary
from training.metrics.ranking import SymbolScore, rank_symbols
from training.registry.block_index import to_json
from training.registry.manager import ModelManager
from training.validation.verdict import Verdict, verdict

_HEADLINES = ("log_loss", "qlike", "mcc", "r2")
_SHOWN = 5


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
                }
            except ModelError as error:
                row["problem"] = str(error)
            rows.append(row)
    return rows


def overview_table(rows: list[dict[str, Any]]) -> RenderableType:
    """Return the overview as a table."""
    lines = []
    for row in rows:
        start = [row["version"], row["kind"], " ".join(row["aliases"])]
        if "problem" in row:
            lines.append([*start, "", "", "", row["problem"]])
        else:
            facts = (str(row["symbols"]), age(row["age_s"]), size(row["bytes"]), headline(row["metrics"]))
            lines.append([*start, *facts])
    headings = ["version", "kind", "alias", "symbols", "age", "size", "on its test period"]
    return WideTable(headings, lines, left=("kind", "alias", "on its test period"))


def details(manager: ModelManager, kind: str, version: str) -> dict[str, Any]:
    """Return the facts of one version, with its verdict and its best and worst symbols."""
    manifest = manager.manifest(kind, version)
    roster, aliases = manager.roster(kind, manifest.version), manager.aliases(kind)
    ranking = rank_symbols(manager.test_predictions(kind, manifest.version))
    half = len(ranking) // 2
    facts = manifest.model_dump(mode="json", exclude={"blocks", "symbols", "roster", "shared", "content"})
    return facts | {
        "verdict": asdict(verdict(kind, flatten(facts["metrics"]))),
        "aliases": [alias for alias, target in aliases.named().items() if target == manifest.version],
        "bytes": manifest.size,
        "blocks": len(manifest.blocks),
        "symbols": roster.symbols(),
        "skipped": roster.reasons("skipped"),
        "failed": roster.reasons("failed"),
        "best": [_score(score) for score in ranking[: min(_SHOWN, len(ranking) - half)]],
        "worst": [_score(score) for score in ranking[max(len(ranking) - _SHOWN, len(ranking) - half) :][::-1]],
        "history": [c.model_dump(mode="json") for c in aliases.history if manifest.version in (c.champion, c.previous)],
    }


def details_view(facts: dict[str, Any]) -> RenderableType:
    """Return the details of one version as tables."""
    about = Table.grid(padding=(0, 2))
    alias = f" ({', '.join(facts['aliases'])})" if facts["aliases"] else ""
    symbols = facts["symbols"]
    names = ", ".join(symbols[:10]) + (", …" if len(symbols) > 10 else "")
    for name, value in {
        "version": f"{facts['kind']} {facts['version']}{alias}",
        "created": f"{facts['created'][:19].replace('T', ' ')} UTC",
        "symbols": f"{len(symbols)} ({names})",
        "verdict": str(Verdict(**facts["verdict"])),
        "size": f"{size(facts['bytes'])} (blocks: {facts['blocks']})",
        "data": facts["data_hash"],
        "libraries": " ".join(f"{name} {version}" for name, version in facts["libraries"].items()),
        "seconds": " ".join(f"{name} {value:.1f}" for name, value in facts["seconds"].items()),
        "skipped": _reasons(facts["skipped"]),
        "failed": _reasons(facts["failed"]),
        **_notes(facts["notes"]),
    }.items():
        if value:
            about.add_row(Text(name, style="bold"), Text(value))
    parts: list[RenderableType] = [about]
    if facts["metrics"]:
        parts.append(metrics_table(facts["metrics"]))
    for title in ("best", "worst"):
        if facts[title]:
            parts.append(_ranking_table(title, facts[title]))
    parts.append(_settings_table(facts["config"]))
    return Group(*parts)


def _reasons(reasons: dict[str, str]) -> str:
    first = [f"{symbol}: {reason}" for symbol, reason in list(reasons.items())[:_SHOWN]]
    return f"{len(reasons)} ({'; '.join(first)}{'; …' if len(reasons) > _SHOWN else ''})" if first else ""


def _notes(notes: Any) -> dict[str, str]:
    """Return the notes of a version's run, by heading."""
    if not isinstance(notes, dict):
        return {"notes": "" if notes is None else str(notes)}
    periods = notes.get("periods") or {}
    out = {f"{part} period": " to ".join(day for day in days if day) for part, days in periods.items()}
    return out | {"warnings": "; ".join(notes.get("warnings") or ())}


def metrics_table(metrics: dict[str, Any]) -> WideTable:
    """Return metrics as rows, with the model's and each baseline's values, and their paired difference in brackets."""
    values = flatten(metrics)
    summary = MetricSummary(values)
    baselines, rows = summary.all_baselines, []
    for key in summary.names:
        cells = [_with_error(values, key)]
        for name in baselines:
            cell = _number(values[f"{key}_{name}"]) if f"{key}_{name}" in values else ""
            if summary.compares(key, name):
                cell += f" ({_with_error(values, f'{key}_vs_{name}', signed=True)})"
            cells.append(cell)
        rows.append([key, *cells])
    caption = "in brackets: the model less this baseline, paired, ± standard error clustered by day"
    return WideTable(["metric", "model", *baselines], rows, title="test period", caption=caption if baselines else None)


def headline(metrics: dict[str, Any]) -> str:
    """Return the first headline metric, its strongest baseline and their paired difference."""
    values = flatten(metrics)
    summary = MetricSummary(values)
    key = next((name for name in _HEADLINES if name in values), None)
    if key is None:
        return ""
    losses = {name: summary.baseline(key, name).value for name in summary.all_baselines}
    losses = {name: loss for name, loss in losses.items() if math.isfinite(loss)}
    if not losses:
        return f"{key} {_with_error(values, key)}"
    best = min(losses, key=lambda name: losses[name])
    difference = _with_error(values, f"{key}_vs_{best}", signed=True)
    return f"{key} {_number(values[key])}, {best} {_number(losses[best])} ({difference})"


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values as ``a.b`` → value."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def age(seconds: float) -> str:
    """Return an age in its largest whole unit."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(int(seconds), 0)} s"


def size(count: float) -> str:
    """Return a number of bytes in the unit that keeps it below 1024."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def _with_error(values: dict[str, Any], key: str, signed: bool = False) -> str:
    error = values.get(f"{key}_se")
    text = _number(values.get(key), signed)
    return text if error is None else f"{text} ± {_number(error)}"


def _number(value: Any, signed: bool = False) -> str:
    if isinstance(value, float) and not (value.is_integer() and abs(value) > 1):
        return f"{value:+.4f}" if signed else f"{value:.4f}"
    if isinstance(value, float):
        return str(int(value))
    return "–" if value is None else str(value)


def _score(score: SymbolScore) -> dict[str, Any]:
    facts = {"symbol": score.symbol, "rows": score.rows, "loss": score.loss}
    return dict(to_json(facts | {"baseline": score.baseline, "baseline_loss": score.baseline_loss}))


def _ranking_table(title: str, scores: list[dict[str, Any]]) -> Table:
    baseline = scores[0]["baseline"] or "baseline"
    table = Table("symbol", _right("loss"), _right(baseline), _right("rows"), title=f"{title} against {baseline}")
    for score in scores:
        cells = (score["symbol"], _number(score["loss"]), _number(score["baseline_loss"]), str(score["rows"]))
        table.add_row(*map(Text, cells))
    return table


def _settings_table(config: dict[str, Any]) -> Table:
    table = Table("setting", "value", title="configuration")
    for key, value in flatten(config).items():
        table.add_row(Text(key), Text(str(value)))
    return table


def _right(name: str) -> Column:
    return Column(Text(name), justify="right")
