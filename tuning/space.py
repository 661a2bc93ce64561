"""From the spaces that stand beside the models to Optuna's distributions, and from a trial's values to a configuration.

Values are named by the path of their setting, as ``--set`` names it.
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
from configs.space import Choice, Parameter, Space, Value, read, spelled, why_shared
from configs.values import Kind
from training.tasks import task_of

Values = Mapping[str, Value]


def space_of(config: Config, kind: Kind) -> dict[str, Parameter]:
    """Return what a kind's models vary, narrowed or widened by ``config.tune.space``.

    Raises
    ------
    ConfigError
        A path is no setting that trials can vary, a value is none that it can have, or nothing is left to vary.
    """
    space = task_of(kind).space(config)
    for path, parameter in config.tune.space.items():
        section = path.partition(".")[0]
        if section in get_args(Kind) and section != kind:
            setting(config, path)
            continue
        if reason := why_shared(kind, path):
            raise ConfigError(f"tune.space: {reason}.")
        setting(config, path)
        if parameter is None:
            space.pop(path, None)
            continue
        read_as = [setting(configured(config, {path: spelled(value)}), path) for value in _examples(parameter)]
        space[path] = Choice(values=tuple(read_as)) if isinstance(parameter, Choice) else parameter
    if not space:
        raise ConfigError(f"tune.space leaves nothing of {kind} models to vary. Leave a setting in.")
    return dict(sorted(space.items()))


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return the space as Optuna's distributions."""
    return {path: _distribution(parameter) for path, parameter in space.items()}


def defaults(config: Config, space: Space) -> dict[str, Value] | None:
    """Return the configuration's own values as a trial's; None if the space does not hold them."""
    found = {path: setting(config, path) for path in space}
    if not all(space[path].holds(value) for path, value in found.items()):
        return None
    return {path: spelled(value) for path, value in found.items()}


def configured(config: Config, values: Values) -> Config:
    """Return the configuration with a trial's values, for all symbols alike.

    Raises
    ------
    ConfigError
        Together they make no valid one.
    """
    return validated(config.replaced({path: read(value) for path, value in values.items()}), "a trial")


def setting(config: Config, path: str) -> Any:
    """Return a setting's value by its path; ``ConfigError`` if there is none."""
    found: Any = config
    for name in path.split("."):
        if name not in getattr(type(found), "model_fields", {}):
            raise ConfigError(f"{path!r} is not a setting. Give a path such as direction.fit.learning_rate.")
        found = getattr(found, name)
    return found


def _examples(parameter: Parameter) -> Sequence[Any]:
    """Return values that show whether a setting can have those of a parameter: all, or both ends and one between."""
    if isinstance(parameter, Choice):
        return parameter.values
    if parameter.whole:
        return int(parameter.low), int(parameter.high)
    return parameter.low, 0.618 * parameter.low + 0.382 * parameter.high, parameter.high


def _distribution(parameter: Parameter) -> BaseDistribution:
    if isinstance(parameter, Choice):
        return CategoricalDistribution([spelled(value) for value in parameter.values])
    if parameter.whole:
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)
