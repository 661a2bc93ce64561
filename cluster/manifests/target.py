"""What manifests are rendered for: a configuration, and the places that only the user knows."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from configs.errors import ConfigError
from configs.load import load_config
from configs.schema import Config

CONFIG_FOLDER = "/etc/fleetcast/config"
CONFIG_FILE = f"{CONFIG_FOLDER}/train.yaml"
KEY_FOLDER = "/etc/fleetcast/keys"
KEY_FILE = f"{KEY_FOLDER}/keys"


@dataclass(frozen=True, slots=True)
class Target:
    """A resolved ``config`` and the ``preset`` it began with, and where it is to run.

    ``key_file``, ``host`` and ``port`` are those of a Serve config for a cluster of the user's own; pods have theirs.
    ``insecure`` says that serving without keys is meant.
    """

    config: Config
    preset: str
    store: str | None = None
    image: str | None = None
    namespace: str = "fleetcast"
    host: str = "127.0.0.1"
    port: int = 8000
    alias: str = "champion"
    key_file: str | None = None
    insecure: bool = False

    def named(self, part: str) -> str:
        """Return the name of a part: ``fleetcast-serve``."""
        return f"{self.config.deploy.name}-{part}"

    def the_store(self, *, shared: bool) -> str:
        """Return the store's URI; ``shared`` if machines of their own must reach it.

        Raises
        ------
        ConfigError
            There is none, or only this machine has it.
        """
        if self.store is None:
            raise ConfigError("these manifests need a store that every node reaches. Give --store s3://bucket/path.")
        if shared and "://" not in self.store:
            raise ConfigError(f"--store {self.store!r} is a place of this machine. Give an s3:// or gs:// URI.")
        return self.store

    def the_image(self) -> str:
        """Return the container image; ``ConfigError`` if there is none."""
        if self.image is None:
            raise ConfigError(
                "pods need an image. Build one (see `fleetcast manifests render containerfile`): --image."
            )
        return self.image

    def settings(self) -> dict[str, Any]:
        """Return what training needs beyond the preset, as a configuration file holds it."""
        return difference(load_config(self.preset).of_runs(), self.config.of_runs())


def difference(base: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of ``wanted`` that ``base`` has otherwise; merged into it they make ``wanted``."""
    found: dict[str, Any] = {}
    for key, value in wanted.items():
        before = base.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := difference(before, value):
                found[key] = inner
        elif key not in base or value != before:
            found[key] = value
    return found


def ray_version() -> str:
    """Return the version of Ray that this project runs on."""
    return version("ray")
