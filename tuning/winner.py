"""The settings that a training run takes from finished studies, and whether it may use them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import ValidationError

from configs.errors import ConfigError
from configs.schema import Config
from configs.space import decoded
from features.store.store import Store
from training.run.run_plan import RunPlan
from tuning.study_database import FOLDER, check_name
from tuning.sweep_task import task_settings
from tuning.sweep_verdict import SweepVerdict


def read_verdicts(store: Store, studies: Sequence[str]) -> list[SweepVerdict]:
    """Return the verdicts of studies, at most one of each kind of model.

    Raises
    ------
    ConfigError
        A study does not exist or is not finished, or two studies are of one kind.
    """
    verdicts = [_read_verdict(store, name) for name in studies]
    kinds = [verdict.kind for verdict in verdicts]
    if len(set(kinds)) < len(kinds):
        raise ConfigError(f"studies {', '.join(studies)} are of one kind of model. Give one for each kind.")
    return verdicts


def overrides_of(verdicts: Sequence[SweepVerdict]) -> list[str]:
    """Return the winners' settings as ``--set`` overrides; ``run.studies`` records which studies were used.

    A study whose default was chosen changes no setting.
    """
    winners = [verdict for verdict in verdicts if verdict.chosen == "winner"]
    settings = [f"{path}={json.dumps(decoded(value))}" for winner in winners for path, value in winner.values.items()]
    used = [f"{verdict.study}/{verdict.trial if verdict in winners else 'default'}" for verdict in verdicts]
    return [*settings, f"run.studies={json.dumps(used)}"] if used else []


def check_tasks(verdicts: Sequence[SweepVerdict], config: Config) -> None:
    """Refuse a configuration whose task differs from that of a study.

    Raises
    ------
    ConfigError
        A study is of a kind that is not trained, or of another horizon, label or strategy.
    """
    for verdict in verdicts:
        if verdict.kind not in config.run.kinds:
            raise ConfigError(
                f"study {verdict.study!r} is of {verdict.kind} models, and {' and '.join(config.run.kinds)} models are "
                "to be trained. Give another study, or --kinds."
            )
        settings = task_settings(config, verdict.kind)
        varied = {path.partition(".")[2] for path in verdict.values} if verdict.chosen == "winner" else set()
        differing = [name for name, value in settings.items() if name not in varied and verdict.task.get(name) != value]
        if differing:
            raise ConfigError(
                f"study {verdict.study!r} is of another {' and '.join(differing)} than these {verdict.kind} models. "
                "Tune again, or train as it did."
            )


def check_periods(verdicts: Sequence[SweepVerdict], plan: RunPlan) -> None:
    """Refuse a run whose test period overlaps the bars that a study used.

    Raises
    ------
    ConfigError
        A study used bars of the test period.
    """
    for verdict in verdicts:
        start = plan.periods(verdict.kind)["test"][0]
        if start <= verdict.until:
            raise ConfigError(
                f"study {verdict.study!r} used bars up to {verdict.until}, and the test period of these {verdict.kind} "
                f"models begins on {start}: it would not be untouched. Tune again with this split, or test later."
            )


def summary_lines(verdicts: Sequence[SweepVerdict]) -> list[str]:
    """Return a line per study that says which settings a run takes from it."""
    return [
        f"study {verdict.study}: "
        + (
            f"{verdict.kind} settings of trial {verdict.trial}"
            if verdict.chosen == "winner"
            else f"its winner was not better, so the {verdict.kind} settings stay as they are"
        )
        for verdict in verdicts
    ]


def _read_verdict(store: Store, study: str) -> SweepVerdict:
    check_name(study)
    try:
        return SweepVerdict.model_validate(store.read_json(f"{FOLDER}/{study}/verdict.json"))
    except FileNotFoundError as error:
        finished = [name for name in store.names(FOLDER) if store.exists(f"{FOLDER}/{name}/verdict.json")]
        raise ConfigError(
            f"{store.uri!r} has no finished study {study!r} (it has: {', '.join(finished) or 'none'}). Make one with "
            "`fleetcast tune --study NAME`, or finish it with --resume."
        ) from error
    except ValidationError as error:
        raise ConfigError(
            f"the verdict of study {study!r} was written by another version of Fleetcast. Tune again."
        ) from error
