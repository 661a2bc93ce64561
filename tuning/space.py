"""The search space of a kind of model as Optuna's distributions, and the configuration of a trial's values.

Values are keyed by the path of their setting, as in ``--set``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from configs.errors import ConfigError
from configs.load import validated
from configs.schema import Config
from configs.space import Choice, Parameter, Space, Value, decoded, encoded, why_not_varied
from configs.values import Kind
from training.tasks import task_of

Values = Mapping[str, Value]


def space_of(config: Config, kind: Kind) -> dict[str, Parameter]:
    """Return the search space of a kind, with the changes of ``config.tune.space``.

    Raises
    ------
    ConfigError
        A path is not a setting that trials can vary, a value is invalid for its setting, or the space is empty.
    """
    space = task_of(kind).space(config)
    for path, parameter in config.tune.space.items():
        section = path.partition(".")[0]
        if section in get_args(Kind) and section != kind:
            setting(config, path)
            continue
        if reason := why_not_varied(kind, path):
            raise ConfigError(f"tune.space: {reason}.")
        setting(config, path)
        if parameter is None:
            space.pop(path, None)
            continue
        values = [setting(configured(config, {path: encoded(value)}), path) for value in _examples(parameter)]
        space[path] = Choice(values=tuple(values)) if isinstance(parameter, Choice) else parameter
    if not space:
        raise ConfigError(f"tune.space leaves nothing of {kind} models to vary. Leave a setting in.")
    return dict(sorted(space.items()))


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return the space as Optuna's distributions."""
    return {path: _distribution(parameter) for path, parameter in space.items()}


def defaults(config: Config, space: Space) -> dict[str, Value] | None:
    """Return the configuration's values as a trial's values; None if one of them is outside the space."""
    found = {path: setting(config, path) for path in space}
    if not all(space[path].contains(value) for path, value in found.items()):
        return None
    return {path: encoded(value) for path, value in found.items()}


def configured(config: Config, values: Values) -> Config:
    """Return the configuration with a trial's values.

    Raises
    ------
    ConfigError
        The values do not make a valid configuration.
    """
    return validated(config.replaced({path: decoded(value) for path, value in values.items()}), "a trial")


def setting(config: Config, path: str) -> Any:
    """Return the value of a setting; ``ConfigError`` if the path is not a setting."""
    found: Any = config
    for name in path.split("."):
        if name not in getattr(type(found), "model_fields", {}):
            raise ConfigError(f"{path!r} is not a setting. Give a path such as direction.fit.learning_rate.")
        found = getattr(found, name)
    return found


def _examples(parameter: Parameter) -> Sequence[Any]:
    """Return values of a parameter to validate: every choice, or both ends of a range and a value between them."""
    if isinstance(parameter, Choice):
        return parameter.values
    if parameter.whole:
        return int(parameter.low), int(parameter.high)
    return parameter.low, 0.618 * parameter.low + 0.382 * parameter.high, parameter.high


def _distribution(parameter: Parameter) -> BaseDistribution:
    if isinstance(parameter, Choice):
        return CategoricalDistribution([encoded(value) for value in parameter.values])
    if parameter.whole:
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)
