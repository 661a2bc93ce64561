"""What manifests are rendered from: a configuration, and the places that the user names."""

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
    """A resolved ``config``, the ``preset`` that it is based on, and where it is to run.

    ``key_file``, ``host`` and ``port`` are for the Serve config of an existing cluster; pods have fixed ones.
    ``insecure`` allows serving without keys.
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
        """Return the name of an object, such as ``fleetcast-serve``."""
        return f"{self.config.deploy.name}-{part}"

    def the_store(self, *, shared: bool) -> str:
        """Return the store's URI; if ``shared``, it must be one that other machines can reach.

        Raises
        ------
        ConfigError
            There is no store, or it is a local path.
        """
        if self.store is None:
            raise ConfigError("these manifests need a store that every node reaches. Give --store s3://bucket/path.")
        if shared and "://" not in self.store:
            raise ConfigError(f"--store {self.store!r} is a path of this machine. Give an s3:// or gs:// URI.")
        return self.store

    def the_image(self) -> str:
        """Return the container image; ``ConfigError`` if there is none."""
        if self.image is None:
            raise ConfigError(
                "pods need an image. Build one (see `fleetcast manifests render containerfile`): --image."
            )
        return self.image

    def settings(self) -> dict[str, Any]:
        """Return the training settings that differ from the preset, in the form of a configuration file."""
        return difference(load_config(self.preset).of_runs(), self.config.of_runs())


def difference(base: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of ``wanted`` that differ from ``base``; merged into ``base`` they give ``wanted``."""
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
    """Return the installed version of Ray."""
    return version("ray")
