"""The schema of a run. Every value is validated, frozen, and stored with the version it made.

Its sections stand in `configs/data.py`, `models.py` and `operation.py`; here they are put together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from configs.data import DataConfig, FeatureConfig, SplitConfig
from configs.models import DirectionConfig, VolatilityConfig
from configs.operation import DeployConfig, RunConfig, ServeConfig, TuneConfig
from configs.values import Frozen

_CREW = {"workers", "retries"}


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

    def section(self, kind: str) -> DirectionConfig | VolatilityConfig:
        """Return the settings of a kind of models."""
        found: DirectionConfig | VolatilityConfig = getattr(self, kind)
        return found

    def replaced(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return this with other values of settings, by path, as a dictionary that is not validated."""
        found = self.model_dump()
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
        return self.model_dump(mode="json", exclude={"serve", "tune", "deploy"})

    def of_models(self) -> dict[str, Any]:
        """Return as JSON what decides on models; by how many they are fitted does not."""
        found = self.of_runs()
        return found | {"run": {name: value for name, value in found["run"].items() if name not in _CREW}}
