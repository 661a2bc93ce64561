"""The output of ``fleetcast models show``: the facts of a version as JSON-able values, and on one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cluster.views.leaderboard import coverage_sentence, label_sentences
from cluster.views.model_figures import bars_in_words, flatten, number, origin, size
from cluster.views.scores_table import scores_table
from cluster.views.wide_table import WideTable
from configs.words import counted
from training.metrics.ranking import SymbolScore, rank_symbols
from training.registry.block_index import to_json
from training.registry.manager import ModelManager
from training.run.kind_result import KindResult
from training.tasks import task_of
from training.validation.verdict import Verdict, verdict

_SHOWN = 5
_ON_SCREEN = 3


def details(manager: ModelManager, kind: str, version: str, *, all_symbols: bool = False) -> dict[str, Any]:
    """Return the facts of one version, with its verdict and its best and worst symbols, or the scores of all."""
    manifest = manager.manifest(kind, version)
    roster, aliases = manager.roster(kind, manifest.version), manager.aliases(kind)
    ranking = rank_symbols(manager.test_predictions(kind, manifest.version))
    half = len(ranking) // 2
    facts = manifest.model_dump(mode="json", exclude={"blocks", "symbols", "roster", "shared", "content"})
    ranked = {"ranking": [_score(score) for score in ranking]} if all_symbols else {}
    return facts | {
        **origin(kind, manifest.config),
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
        **ranked,
    }


def details_view(facts: dict[str, Any], *, config: bool = False) -> RenderableType:
    """Return the details of one version: facts, scores, and best and worst symbols; with ``config``, all settings."""
    about = Table.grid(padding=(0, 2))
    for name, value in _about(facts).items():
        if value:
            about.add_row(Text(name, style="bold"), Text(value))
    parts: list[RenderableType] = [about]
    metrics = flatten(facts["metrics"])
    if task_of(facts["kind"]).loss in metrics:
        parts += [Text(""), scores_table(KindResult(facts["kind"], metrics))]
    if "ranking" in facts:
        title = Text("all symbols, the best against its baseline first")
        parts += [Text(""), title, _ranking_table(facts["ranking"])]
    if config:
        parts += [Text(""), _settings_table(facts["config"])]
    return Group(*parts)


def _about(facts: Mapping[str, Any]) -> dict[str, str]:
    kind, symbols, notes = facts["kind"], facts["symbols"], facts["notes"]
    alias = f" ({', '.join(facts['aliases'])})" if facts["aliases"] else ""
    names = ", ".join(symbols[:_SHOWN]) + (", …" if len(symbols) > _SHOWN else "")
    level = (facts["config"].get(kind) or {}).get(task_of(kind).layout.coverage.setting)
    periods = (notes.get("periods") or {}) if isinstance(notes, dict) else {}
    trained_to = periods.get("train", ("", ""))[1]
    horizon = "" if facts["horizon"] is None else f"{counted(facts['horizon'], 'bar')} ahead"
    bars = f"bars of {bars_in_words(facts['bars'])}" if facts["bars"] else ""
    preset = f"preset {facts['preset']}" if facts["preset"] else ""
    left_out = (facts["config"].get("features") or {}).get("without")
    without = f"without {', '.join(left_out)}" if left_out else ""
    return {
        "version": f"{kind} {facts['version']}{alias}",
        "created": f"{facts['created'][:19].replace('T', ' ')} UTC, {size(facts['bytes'])}",
        "symbols": f"{len(symbols):,} ({names})",
        "settings": ", ".join(filter(None, (horizon, bars, preset, without))),
        "verdict": f"by {task_of(kind).loss_title}: {Verdict(**facts['verdict'])}",
        "labels": "; ".join(label_sentences(flatten(facts["metrics"]))),
        "coverage": " ".join(coverage_sentence(kind, flatten(facts["metrics"]), level)).removeprefix("coverage of "),
        "train period": f"up to {trained_to}" if trained_to else "",
        "valid period": " to ".join(periods.get("valid", ())),
        "test period": " to ".join(periods.get("test", ())),
        **_seen(notes),
        "best": _in_a_line(facts["best"]),
        "worst": _in_a_line(facts["worst"]),
        "skipped": _reasons(facts["skipped"]),
        "failed": _reasons(facts["failed"]),
        "warnings": "; ".join(_first(notes.get("warnings") or (), _ON_SCREEN)) if isinstance(notes, dict) else "",
    }


def _seen(notes: Any) -> dict[str, str]:
    """Return up to when the published models have seen data, if the version says so."""
    seen = notes if isinstance(notes, dict) else {"notes": notes}
    names = {"trained_to": "weights", "calibrated_to": "calibration"}
    found = {name: f"outcomes up to {str(seen[key])[:10]}" for key, name in names.items() if seen.get(key)}
    return found | {"notes": "" if isinstance(notes, dict) or notes is None else str(notes)}


def _in_a_line(scores: Sequence[Mapping[str, Any]]) -> str:
    """Return the first symbols with their loss and the baseline's."""
    shown = [f"{one['symbol']} {number(one['loss'])}" + _of_baseline(one) for one in scores[:_ON_SCREEN]]
    return ", ".join(shown)


def _of_baseline(score: Mapping[str, Any]) -> str:
    return "" if score["baseline_loss"] is None else f" ({score['baseline']} {number(score['baseline_loss'])})"


def _reasons(reasons: dict[str, str]) -> str:
    first = _first([f"{symbol}: {reason}" for symbol, reason in reasons.items()], _ON_SCREEN)
    return f"{len(reasons):,} ({'; '.join(first)})" if first else ""


def _first(texts: Sequence[str], most: int) -> list[str]:
    return [*texts[:most], *(["…"] if len(texts) > most else [])]


def _score(score: SymbolScore) -> dict[str, Any]:
    facts = {"symbol": score.symbol, "rows": score.rows, "loss": score.loss}
    return dict(to_json(facts | {"baseline": score.baseline, "baseline_loss": score.baseline_loss}))


def _ranking_table(scores: Sequence[Mapping[str, Any]]) -> WideTable:
    baseline = next((one["baseline"] for one in scores if one["baseline"]), "baseline")
    rows = [[one["symbol"], number(one["loss"]), number(one["baseline_loss"]), f"{one['rows']:,}"] for one in scores]
    return WideTable(["symbol", "loss", baseline, "rows"], rows)


def _settings_table(config: dict[str, Any]) -> Table:
    table = Table("setting", "value", box=None, pad_edge=False, header_style="bold")
    for key, value in flatten(config).items():
        table.add_row(Text(key), Text(str(value)))
    return table
