"""The bot as a Kubernetes Deployment, and as a systemd unit for one machine."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from cluster.manifests.pods import LOCKED, labels, pod, resources
from cluster.manifests.target import CONFIG_FOLDER, Target, difference
from cluster.manifests.text import yaml_text
from configs.load import flat_overrides, load_config

_CPUS = 2
_GRACE_S = 40  # the bot takes at most 10 to end
_FILE = "bot.yaml"
_FOLDER = "/var/lib/fleetcast"
_METRICS_PORT = 9108
_NOT_OF_BOTS = ("serve", "deploy", "tune", "walk_forward")
_UNIT = """\
[Unit]
Description=Fleetcast bot {bot}
After=network-online.target
Wants=network-online.target

[Service]
User=fleetcast
WorkingDirectory={folder}
EnvironmentFile=-/etc/fleetcast/bot.env
ExecStart={command}
Restart=always
RestartSec=10
KillSignal=SIGTERM
TimeoutStopSec={grace}
ReadWritePaths={folder}
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=yes

[Install]
WantedBy=multi-user.target
"""


def bot_deployment(target: Target) -> list[dict[str, Any]]:
    """Return the Deployment, its settings, and a firewall that admits Prometheus.

    Two pods: one leads, the other takes over within ``bot.lease_s``. The journal must be a Postgres server, because
    pods have no disk in common.
    """
    name, deploy = target.named("bot"), target.config.deploy
    settings = bot_settings(target)
    container = {
        "name": "bot",
        "image": target.the_image(),
        "args": ["fleetcast", *_arguments(f"{CONFIG_FOLDER}/{_FILE}" if settings else None, target, shared=True)],
        "env": [{"name": "MPLCONFIGDIR", "value": "/tmp"}],
        "envFrom": _secrets(target),
        "ports": [{"name": "metrics", "containerPort": _METRICS_PORT}],
        "resources": resources(f"{_CPUS}", f"{_CPUS * deploy.gib_per_cpu:g}Gi"),
        "securityContext": LOCKED,
        "livenessProbe": {
            "httpGet": {"path": "/metrics", "port": _METRICS_PORT},
            "initialDelaySeconds": 60,
            "periodSeconds": 30,
            "failureThreshold": 4,
        },
    }
    more: dict[str, Any] = {"terminationGracePeriodSeconds": _GRACE_S}
    if settings:
        container["volumeMounts"] = [{"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True}]
        more["volumes"] = [{"name": "config", "configMap": {"name": f"{name}-config"}}]
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": labels(name)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        "template": pod(target, name, container, **more),
    }
    objects = [_object(target, "Deployment", name, {"spec": spec}, "apps/v1")]
    if settings:
        objects.insert(0, _object(target, "ConfigMap", f"{name}-config", {"data": {_FILE: yaml_text(settings)}}, "v1"))
    admit = {
        "podSelector": {"matchLabels": labels(name)},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [{"protocol": "TCP", "port": _METRICS_PORT}]}],
    }
    return [*objects, _object(target, "NetworkPolicy", name, {"spec": admit}, "networking.k8s.io/v1")]


def bot_unit(target: Target) -> str:
    """Return the systemd unit; its command has the settings that differ from the preset."""
    local = target if target.store is not None else replace(target, store=_FOLDER)
    folder = _FOLDER if "://" in local.the_store(shared=False) else _absolute(local.the_store(shared=False))
    overrides = [part for text in flat_overrides(bot_settings(target)) for part in ("--set", text)]
    command = shlex.join(["/usr/bin/env", "fleetcast", *_arguments(None, local, shared=False), *overrides])
    bot = target.config.bot.name
    return _UNIT.format(bot=bot, command=command.replace("%", "%%"), folder=folder, grace=_GRACE_S)


def bot_needs(target: Target) -> list[str]:
    """Return what must exist before the Deployment."""
    make = f"kubectl -n {target.namespace} create secret generic"
    return [
        "The journal is a Postgres database; FILE has its URL. The token for alerts is needed if they are sent:",
        f"  {make} {target.named('journal')} --from-file=FLEETCAST_DATABASE=FILE",
        f"  {make} {target.named('alerts')} --from-literal=FLEETCAST_TELEGRAM_TOKEN=TOKEN",
        "Prometheus finds metrics at port 9108 of each pod; `fleetcast bot status` asks the journal.",
    ]


def unit_needs(target: Target) -> list[str]:
    """Return what must exist before the unit."""
    return [
        "Install Fleetcast so that /usr/bin or /usr/local/bin has `fleetcast`, and make its user, who owns the store:",
        f"  useradd --system fleetcast && chown -R fleetcast {target.store or _FOLDER}",
        "Copy this file to /etc/systemd/system/fleetcast-bot.service and run:",
        "  systemctl daemon-reload && systemctl enable --now fleetcast-bot",
        "Secrets such as FLEETCAST_TELEGRAM_TOKEN=... are lines of /etc/fleetcast/bot.env, readable by root only.",
    ]


def bot_settings(target: Target) -> dict[str, Any]:
    """Return the settings of a bot that differ from the preset, in the form of a configuration file."""
    found = difference(load_config(target.preset).model_dump(mode="json"), target.config.model_dump(mode="json"))
    return {name: value for name, value in found.items() if name not in _NOT_OF_BOTS}


def _arguments(config: str | None, target: Target, *, shared: bool) -> list[str]:
    store = target.the_store(shared=shared)
    place = store if "://" in store else _absolute(store)
    listen = "0.0.0.0" if shared else "127.0.0.1"
    metrics = ["--set", f"monitoring.metrics_port={_METRICS_PORT}", "--set", f"monitoring.metrics_host={listen}"]
    return ["bot", "run", *(["--config", config] if config else []), "--store", place, *metrics]


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _secrets(target: Target) -> list[dict[str, Any]]:
    names = [(target.named("journal"), False), (target.named("alerts"), True)]
    if target.config.deploy.store_secret:
        names.append((target.config.deploy.store_secret, False))
    return [{"secretRef": {"name": name, **({"optional": True} if optional else {})}} for name, optional in names]


def _object(target: Target, kind: str, name: str, content: dict[str, Any], api: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": target.namespace, "labels": labels(name)}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **content}
