"""The schema of a run. Every value is validated, frozen, and stored with the version it made.

Its sections stand in `configs/data.py`, `models.py` and `operation.py`; here they are put together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from configs.data import DataConfig, FeatureConfig, SplitConfig
from configs.models import DirectionConfig, VolatilityConfig
from configs.operation import DeployConfig, RunConfig, ServeConfig, TuneConfig
from configs.space import Setting, why_shared
from configs.values import Frozen, Kind, once

_CREW = {"workers", "retries"}


class OwnSettings(Frozen):
    """Settings that a kind's models of some symbols have in place of the others', as a sweep finds them.

    ``values`` are by path, such as ``direction.network.window``; what is forecast stays the same for all. ``found``
    tells where they come from, as ``study/trial``. Training costs one pooled fit more for each of these. Sweeps, and
    predictors that are fitted by hand, have one setting for all.
    """

    kind: Kind
    symbols: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(once)]
    values: Annotated[dict[str, Setting], Field(min_length=1)]
    found: str = ""


class Config(Frozen):
    """Everything that defines a run."""

    data: DataConfig = DataConfig()
    features: FeatureConfig = FeatureConfig()
    split: SplitConfig = SplitConfig()
    direction: DirectionConfig = DirectionConfig()
    volatility: VolatilityConfig = VolatilityConfig()
    run: RunConfig = RunConfig()
    serve: ServeConfig = ServeConfig()
    tune: TuneConfig = TuneConfig()
    deploy: DeployConfig = DeployConfig()
    own: tuple[OwnSettings, ...] = ()

    @model_validator(mode="after")
    def _own_settings_fit(self) -> Self:
        once(tuple(f"{symbol} ({one.kind})" for one in self.own for symbol in one.symbols))
        for one in self.own:
            for path in one.values:
                if reason := why_shared(one.kind, path):
                    raise ValueError(f"own: {reason}")
            try:
                self.with_values(one.values)
            except ValidationError as error:
                told = (
                    f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
                )
                raise ValueError(
                    f"own: settings of {one.symbols[0]} do not fit those for all: {'; '.join(told)}"
                ) from error
        return self

    def section(self, kind: str) -> DirectionConfig | VolatilityConfig:
        """Return the settings of a kind of models."""
        return self.direction if kind == "direction" else self.volatility

    def shared(self) -> Config:
        """Return this without settings of symbols' own."""
        return self.model_copy(update={"own": ()}) if self.own else self

    def with_values(self, values: Mapping[str, Any]) -> Config:
        """Return this with other values of settings, by path, for all symbols alike."""
        return type(self).model_validate(self.replaced(values)) if values else self.shared()

    def replaced(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what :meth:`with_values` does as a dictionary that is not validated."""
        found = self.shared().model_dump()
        for path, value in values.items():
            *sections, name = path.split(".")
            place = found
            for section in sections:
                if not isinstance(place.get(section), dict):
                    place[section] = {}
                place = place[section]
            place[name] = value
        return found

    def of_runs(self) -> dict[str, Any]:
        """Return as JSON what training reads: how models are served or searched for is not."""
        return self.model_dump(mode="json", exclude={"serve", "tune", "deploy", *([] if self.own else ["own"])})

    def of_models(self) -> dict[str, Any]:
        """Return as JSON what decides on models; by how many they are fitted does not."""
        found = self.of_runs()
        return found | {"run": {name: value for name, value in found["run"].items() if name not in _CREW}}
