"""From a finished study to the configuration that its settings make."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from configs.errors import ConfigError
from configs.schema import Config
from features.store import Store
from tuning.space import configured
from tuning.study import FOLDER
from tuning.verdict import Verdict


def read_verdict(store: Store, study: str) -> Verdict:
    """Return how a study ended.

    Raises
    ------
    ConfigError
        The store has no such study, or it has not ended.
    """
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


def with_studies(config: Config, store: str, studies: Sequence[str]) -> Config:
    """Return a configuration with what studies found, of each kind at most one; ``run.studies`` names them.

    A study whose winner was not better on the fold that no trial saw leaves the configuration as it is.

    Raises
    ------
    ConfigError
        As :func:`read_verdict` does, or two studies are of one kind.
    """
    verdicts = [read_verdict(Store(store), name) for name in studies]
    kinds = [one.kind for one in verdicts]
    if len(set(kinds)) < len(kinds):
        raise ConfigError(f"studies {', '.join(studies)} are of one kind of model. Give one for each kind.")
    used = []
    for one in verdicts:
        if one.chosen == "winner":
            config = configured(config, one.values)
        used.append(f"{one.study}/{one.trial if one.chosen == 'winner' else 'default'}")
    run = config.run.model_copy(update={"studies": tuple(used)})
    return config.model_copy(update={"run": run})
