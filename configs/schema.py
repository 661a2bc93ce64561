"""The schema of a configuration. Every value is validated, frozen, and stored with the version that it made.

The sections are defined in ``configs/data.py``, ``models.py``, ``operation.py``, ``strategy.py``, ``validation.py``,
``backtest.py``, ``journal.py``, ``monitoring.py``, ``alerts.py``, ``retrain.py`` and ``bot.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from configs.alerts import AlertsConfig
from configs.backtest import BacktestConfig
from configs.bot import BotConfig
from configs.data import DataConfig, FeatureConfig, SplitConfig
from configs.journal import JournalConfig
from configs.models import DirectionConfig, VolatilityConfig
from configs.monitoring import MonitoringConfig
from configs.operation import DeployConfig, RunConfig, ServeConfig, TuneConfig
from configs.retrain import RetrainConfig
from configs.strategy import StrategyConfig
from configs.validation import WalkForwardConfig
from configs.values import Frozen

_NO_EFFECT_ON_MODELS = {"workers", "retries"}
_NOT_OF_RUNS = {
    *("serve", "tune", "deploy", "walk_forward", "strategy", "backtest"),
    *("bot", "journal", "monitoring", "alerts", "retrain"),
}


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
    walk_forward: WalkForwardConfig = WalkForwardConfig()
    strategy: StrategyConfig = StrategyConfig()
    backtest: BacktestConfig = BacktestConfig()
    bot: BotConfig = BotConfig()
    journal: JournalConfig = JournalConfig()
    alerts: AlertsConfig = AlertsConfig()
    retrain: RetrainConfig = RetrainConfig()
    monitoring: MonitoringConfig = MonitoringConfig()

    def section(self, kind: str) -> DirectionConfig | VolatilityConfig:
        """Return the settings of a kind of models."""
        found: DirectionConfig | VolatilityConfig = getattr(self, kind)
        return found

    def replaced(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration with other values of settings, by path, as a dictionary that is not validated."""
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
        """Return as JSON the sections that training reads."""
        return self.model_dump(mode="json", exclude=_NOT_OF_RUNS)

    def of_models(self) -> dict[str, Any]:
        """Return as JSON the settings that determine fitted models: those of training except workers and retries."""
        found = self.of_runs()
        return found | {
            "run": {name: value for name, value in found["run"].items() if name not in _NO_EFFECT_ON_MODELS}
        }
