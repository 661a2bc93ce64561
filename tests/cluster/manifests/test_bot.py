"""The bot's Deployment and unit: their commands are commands of ours, with the configuration that was rendered."""

import shlex

import kubernetes_validate
import pytest
import yaml

from cluster.commands.bot import run as command
from cluster.options.bot_options import bot_config

SETTINGS = ("bot.name=desk", "bot.fetch.source=yahoo", "strategy.name=direction", "run.seed=3", "deploy.name=desk")
GIVEN = [part for setting in SETTINGS for part in ("--set", setting)]


def parsed(arguments):
    """Return the options of ``fleetcast bot run`` as typer reads them."""
    from typer.main import get_command

    from cluster.commands.bot import app

    assert arguments[:2] == ["bot", "run"] and command
    verb = get_command(app).commands["run"]
    return verb.make_context("run", list(arguments[2:])).params


def test_the_deployment_runs_the_bot_with_its_settings(text, tmp_path):
    found = {one["kind"]: one for one in yaml.safe_load_all(text("bot", *GIVEN))}
    for one in found.values():
        kubernetes_validate.validate(one, "1.34", strict=True)
    spec = found["Deployment"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    program, *arguments = container["args"]
    values = parsed(arguments)
    assert program == "fleetcast" and values["store"] == "s3://bucket/fleetcast"
    file = tmp_path / values["config"].rpartition("/")[2]
    file.write_text(found["ConfigMap"]["data"][file.name])
    config = bot_config(str(file), None, None, None, values["overrides"])
    assert (config.bot.name, config.bot.fetch.source, config.strategy.name) == ("desk", "yahoo", "direction")
    assert (config.run.seed, config.monitoring.metrics_port) == (3, 9108)
    assert container["volumeMounts"][0]["mountPath"] == values["config"].rpartition("/")[0]
    assert container["livenessProbe"]["httpGet"]["port"] == config.monitoring.metrics_port
    secrets = [one["secretRef"]["name"] for one in container["envFrom"]]
    assert secrets == ["desk-journal", "desk-alerts"]
    assert spec["terminationGracePeriodSeconds"] > 20
    assert found["Deployment"]["spec"]["replicas"] == 2


@pytest.mark.parametrize("store", [None, "/data/fleetcast"])
def test_the_unit_runs_the_bot_with_its_settings(run, store):
    found = run("bot-unit", *GIVEN, *([] if store is None else ["--store", store]))
    lines = dict(line.split("=", 1) for line in found.splitlines() if "=" in line and not line.startswith("#"))
    program, *arguments = shlex.split(lines["ExecStart"])
    values = parsed(arguments[1:])
    config = bot_config(None, None, None, None, values["overrides"])
    assert program == "/usr/bin/env" and values["store"] == lines["WorkingDirectory"] == (store or "/var/lib/fleetcast")
    assert (config.bot.name, config.strategy.name, config.monitoring.metrics_host) == ("desk", "direction", "127.0.0.1")
