"""From a finished study to the settings that a training run takes from it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import ValidationError

from configs.errors import ConfigError
from configs.schema import Config
from configs.space import read
from features.store.store import Store
from training.run.run_plan import RunPlan
from tuning.study_database import FOLDER, check_name
from tuning.task import task_settings
from tuning.verdict import Verdict


def read_verdicts(store: Store, studies: Sequence[str]) -> list[Verdict]:
    """Return how studies ended, of each kind of model at most one.

    Raises
    ------
    ConfigError
        The store has no such study, it has not ended, or two are of one kind.
    """
    verdicts = [_verdict(store, name) for name in studies]
    kinds = [one.kind for one in verdicts]
    if len(set(kinds)) < len(kinds):
        raise ConfigError(f"studies {', '.join(studies)} are of one kind of model. Give one for each kind.")
    return verdicts


def overrides_of(verdicts: Sequence[Verdict]) -> list[str]:
    """Return what ``--set`` would be given for the settings of studies; ``run.studies`` names where they come from.

    A study whose winner was not better on the fold that no trial saw leaves the configuration as it is.
    """
    won = [one for one in verdicts if one.chosen == "winner"]
    found = [f"{path}={json.dumps(read(value))}" for one in won for path, value in one.values.items()]
    used = [f"{one.study}/{one.trial if one.chosen == 'winner' else 'default'}" for one in verdicts]
    return [*found, f"run.studies={json.dumps(used)}"] if used else []


def check_tasks(verdicts: Sequence[Verdict], config: Config) -> None:
    """Refuse a configuration that forecasts something else than studies did.

    Raises
    ------
    ConfigError
        One is of a kind that is not trained, or of another horizon, label or strategy.
    """
    for one in verdicts:
        if one.kind not in config.run.kinds:
            raise ConfigError(
                f"study {one.study!r} is of {one.kind} models, and {' and '.join(config.run.kinds)} models are to be "
                "trained. Give another study, or --kinds."
            )
        ours = task_settings(config, one.kind)
        varied = {path.partition(".")[2] for path in one.values} if one.chosen == "winner" else set()
        if other := [name for name, value in ours.items() if name not in varied and one.task.get(name) != value]:
            raise ConfigError(
                f"study {one.study!r} is of another {' and '.join(other)} than these {one.kind} models. Tune again, or "
                "train as it did."
            )


def check_periods(verdicts: Sequence[Verdict], plan: RunPlan) -> None:
    """Refuse a run whose test period a study looked into.

    Raises
    ------
    ConfigError
        One did.
    """
    for one in verdicts:
        start = plan.periods(one.kind)["test"][0]
        if start <= one.until:
            raise ConfigError(
                f"study {one.study!r} looked at bars up to {one.until}, and the test period of these {one.kind} models "
                f"begins on {start}: it would not be untouched. Tune again with this split, or test later."
            )


def summary_lines(verdicts: Sequence[Verdict], config: Config) -> list[str]:
    """Return a line a study on what a run of this configuration takes from it."""
    return [
        f"study {one.study}: "
        + (
            f"{one.kind} settings of trial {one.trial}"
            if one.chosen == "winner"
            else f"its winner was not better, so the {one.kind} settings stay as they are"
        )
        for one in verdicts
    ]


def _verdict(store: Store, study: str) -> Verdict:
    check_name(study)
    try:
        return Verdict.model_validate(store.read_json(f"{FOLDER}/{study}/verdict.json"))
    except FileNotFoundError as error:
        ended = [name for name in store.names(FOLDER) if store.exists(f"{FOLDER}/{name}/verdict.json")]
        raise ConfigError(
            f"{store.uri!r} has no finished study {study!r} (it has: {', '.join(ended) or 'none'}). Make one with "
            "`fleetcast tune --study NAME`, or end it with --resume."
        ) from error
    except ValidationError as error:
        raise ConfigError(f"the verdict of study {study!r} is of another Fleetcast. Tune again.") from error
