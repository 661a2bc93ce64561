"""Cluster files for ``ray up``: machines rented from AWS or Google, with this checkout and a token on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from cluster.jobs.packaging import PACKAGES
from cluster.manifests.sizes import Nodes, head_node, training_nodes
from cluster.manifests.target import Target
from cluster.session import ENVIRONMENT
from configs.errors import ConfigError
from configs.operation import CloudConfig
from configs.schema import Config

PROJECT = ("pyproject.toml", "README.md", "LICENSE", *PACKAGES)
"""What of a checkout its installation needs."""
_HOME, _DISK_GB = "/home/ubuntu", 200
_VENV = "$HOME/fleetcast/.venv"
_START = "ulimit -n 65536; ray start"

# Sizes that both clouds have with 4 GiB a processor, and the machines with GPUs by (processors, GPUs).
_CPUS = {"aws": (2, 4, 8, 16, 32, 48, 64, 96), "gcp": (2, 4, 8, 16, 32, 48, 64, 80, 96, 128)}
_AWS_SIZES = {2: "large", 4: "xlarge"}
_GPUS = {
    "aws": {(4, 1): "g6.xlarge", (8, 1): "g6.2xlarge", (16, 1): "g6.4xlarge", (48, 4): "g6.12xlarge"},
    "gcp": {(4, 1): "g2-standard-4", (8, 1): "g2-standard-8", (16, 1): "g2-standard-16", (48, 4): "g2-standard-48"},
}


def ray_up_aws(target: Target) -> dict[str, Any]:
    """Return the file for AWS; its nodes are in a security group of the user's."""
    cloud = _needed("ray-up-aws", target, "image", "region", "security_group")
    account = target.config.deploy.service_account
    if account is None:
        raise ConfigError(
            "deploy.service_account is not set: Ray gives rights to the head alone, and workers could not reach the "
            "store. Name an instance profile that may read and write it."
        )
    common = {
        "ImageId": cloud.image,
        "SecurityGroupIds": [cloud.security_group],
        "MetadataOptions": {"HttpTokens": "required"},
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": _DISK_GB, "Encrypted": True}}],
        "IamInstanceProfile": {"Name": account},
    }

    def node(nodes: Nodes) -> dict[str, Any]:
        return {"InstanceType": machine("aws", nodes), **common}

    provider = {"type": "aws", "region": cloud.region, "cache_stopped_nodes": False}
    return _cluster(target, provider, {kind: node(one) for kind, one in _kinds(target.config).items()}, ["boto3>=1.40"])


def ray_up_gcp(target: Target) -> dict[str, Any]:
    """Return the file for Google; its nodes are in a subnetwork of the user's."""
    cloud = _needed("ray-up-gcp", target, "image", "project", "zone", "subnetwork")
    account = target.config.deploy.service_account
    scope = "https://www.googleapis.com/auth/cloud-platform"
    disk = {"diskSizeGb": _DISK_GB, "sourceImage": cloud.image}
    outside = [{"name": "External NAT", "type": "ONE_TO_ONE_NAT"}]
    common = {
        "disks": [{"boot": True, "autoDelete": True, "type": "PERSISTENT", "initializeParams": disk}],
        "networkInterfaces": [{"subnetwork": cloud.subnetwork, "accessConfigs": outside}],
        **({"serviceAccounts": [{"email": account, "scopes": [scope]}]} if account else {}),
    }

    def node(nodes: Nodes) -> dict[str, Any]:
        moves = {"scheduling": {"onHostMaintenance": "TERMINATE"}} if nodes.gpus else {}
        return {"machineType": machine("gcp", nodes), **moves, **common}

    zone = str(cloud.zone)
    provider = {
        "type": "gcp",
        "region": zone.rpartition("-")[0],
        "availability_zone": zone,
        "project_id": cloud.project,
        "cache_stopped_nodes": False,
    }
    kinds = {kind: node(one) for kind, one in _kinds(target.config).items()}
    return _cluster(target, provider, kinds, ["google-api-python-client>=2.180", "cryptography"])


def machine(cloud: str, nodes: Nodes) -> str:
    """Return the smallest machine that is large enough.

    Raises
    ------
    ConfigError
        There is none.
    """
    if nodes.gpus:
        fitting = [one for (cpus, gpus), one in _GPUS[cloud].items() if cpus >= nodes.cpus and gpus == nodes.gpus]
        if not fitting:
            known = ", ".join(f"{cpus} with {gpus}" for cpus, gpus in _GPUS[cloud])
            raise ConfigError(
                f"no machine of {cloud} is known with {nodes.cpus} processors and {nodes.gpus} GPUs. Set "
                f"deploy.node_cpus and deploy.node_gpus to at most one of: {known}."
            )
        return fitting[0]
    cpus = next((one for one in _CPUS[cloud] if one >= nodes.cpus), None)
    if cpus is None:
        raise ConfigError(
            f"deploy.node_cpus={nodes.cpus} is more than {_CPUS[cloud][-1]}, the largest machine known here. Give more "
            "and smaller nodes."
        )
    return f"m6i.{_AWS_SIZES.get(cpus, f'{cpus // 4}xlarge')}" if cloud == "aws" else f"n2-standard-{cpus}"


def _kinds(config: Config) -> dict[str, Nodes]:
    """Return the head, and both kinds of workers: those of the preset, and none of the other at first."""
    with_gpus = config.model_copy(update={"run": config.run.model_copy(update={"use_gpu": True})})
    without = config.model_copy(update={"run": config.run.model_copy(update={"use_gpu": False})})
    kinds = {"cpu": training_nodes(without), "gpu": training_nodes(with_gpus)}
    wanted = "gpu" if config.run.use_gpu else "cpu"
    return {"head": head_node(config)} | {
        kind: nodes if kind == wanted else replace(nodes, least=0) for kind, nodes in kinds.items()
    }


def _needed(kind: str, target: Target, *names: str) -> CloudConfig:
    cloud = target.config.deploy.cloud
    missing = [f"deploy.cloud.{name}" for name in names if getattr(cloud, name) is None]
    if missing:
        raise ConfigError(f"{kind} needs {', '.join(missing)}. Give each with --set (see configs/operation.py).")
    return cloud


def _cluster(
    target: Target, provider: dict[str, Any], machines: dict[str, dict[str, Any]], libraries: Sequence[str]
) -> dict[str, Any]:
    kinds = _kinds(target.config)
    driver = [_installed(f"tensorflow[and-cuda]=={version('tensorflow')}")]
    types = {
        kind: {
            "resources": {"CPU": nodes.work, **({"GPU": nodes.gpus} if nodes.gpus else {})},
            "min_workers": 0 if kind == "head" else nodes.least,
            "max_workers": 0 if kind == "head" else nodes.most,
            **({"worker_setup_commands": [*_SETUP, *driver]} if nodes.gpus else {}),
            "node_config": machines[kind],
        }
        for kind, nodes in kinds.items()
    }
    return {
        "cluster_name": target.config.deploy.name,
        "max_workers": sum(nodes.most for kind, nodes in kinds.items() if kind != "head"),
        "idle_timeout_minutes": 10,
        "provider": provider,
        "auth": {"ssh_user": "ubuntu"},
        "head_node_type": "head",
        "available_node_types": types,
        "file_mounts": {
            f"{_HOME}/.ray/auth_token": "~/.ray/auth_token",
            **{f"{_HOME}/fleetcast/{name}": name for name in PROJECT},
        },
        "rsync_exclude": ["**/__pycache__"],
        "setup_commands": list(_SETUP),
        "head_setup_commands": [_installed(*libraries)],
        "head_start_ray_commands": [
            "ray stop",
            f"{_START} --head --port=6379 --object-manager-port=8076 --dashboard-host=127.0.0.1 "
            "--autoscaling-config=~/ray_bootstrap_config.yaml",
        ],
        "worker_start_ray_commands": ["ray stop", f"{_START} --address=$RAY_HEAD_IP:6379 --object-manager-port=8076"],
    }


def _installed(*packages: str) -> str:
    asked = " ".join(f"'{one}'" for one in packages)
    return f"cd ~/fleetcast && ~/uv/bin/uv pip install --quiet {asked}"


_SHELL = " ".join(f"{name}={value}" for name, value in {"RAY_AUTH_MODE": "token", **ENVIRONMENT}.items())
_SETUP = (
    "sudo apt-get update -q && sudo apt-get install -y -q --no-install-recommends python3-venv",
    "python3 -m venv ~/uv && ~/uv/bin/pip install --quiet 'uv>=0.9'",
    "cd ~/fleetcast && ~/uv/bin/uv sync --quiet --no-dev",
    f"grep -q fleetcast ~/.bashrc || echo 'export {_SHELL} PATH=\"{_VENV}/bin:$PATH\"' >> ~/.bashrc",
)
