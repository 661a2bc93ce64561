"""What ``/v1/models`` says of a version: what it was tested on, how well, and how its figures are named."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from serving.fleets import Fleet
from serving.kinds import data_ends
from training.tasks import task_of
from training.validation.verdict import verdict


def model_facts(fleet: Fleet) -> dict[str, Any]:
    """Return the facts of a version as JSON; see :class:`serving.web.bodies.ModelFacts`."""
    task = task_of(fleet.kind)
    references, (coverage, _) = dict(task.layout.references), task.layout.coverage
    return {
        "kind": fleet.kind,
        "version": fleet.version,
        "created": fleet.created.isoformat(),
        "symbols": len(fleet.position),
        "level": fleet.nominal_coverage,
        "periods": dict(fleet.periods),
        **data_ends(fleet.predictor),
        "verdict": asdict(verdict(fleet.kind, fleet.metrics)),
        "metrics": dict(fleet.metrics),
        "loss": task.loss,
        "loss_title": task.loss_title,
        "baseline": next(iter(references)),
        "references": references,
        "coverage": coverage,
    }
