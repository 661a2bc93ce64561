"""Cluster files for ``ray up``: rented machines of AWS or Google, with this checkout and Ray's token on each."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from cluster.jobs.packaging import PACKAGES
from cluster.manifests.sizes import Nodes, head_node, training_nodes
from cluster.manifests.target import Target
from cluster.session import ENVIRONMENT
from configs.errors import ConfigError
from configs.operation import CloudConfig
from serving.web.limits import HOOK

PROJECT = ("pyproject.toml", "README.md", "LICENSE", *PACKAGES)
"""The files and folders that an installation needs."""
_HOME, _DISK_GB = "/home/ubuntu", 200
_VENV = "$HOME/fleetcast/.venv"
_START = "ulimit -n 65536; ray start"

# Processors of the machines that both clouds offer: with 4 GiB each, and by the number of NVIDIA L4 GPUs.
_CPUS = (2, 4, 8, 16, 32, 48, 64, 96)
_CPUS_WITH_GPUS = {1: (4, 8, 16), 4: (48,)}
_AWS_SIZES = {2: "large", 4: "xlarge"}


def ray_up_aws(target: Target) -> dict[str, Any]:
    """Return the file for AWS; the nodes join an existing security group."""
    cloud = _required("ray-up-aws", target, "image", "region", "security_group")
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
    head, workers = head_node(target.config), training_nodes(target.config)
    return _cluster(target, provider, node(head), workers, node(workers), ["boto3>=1.40"])


def ray_up_gcp(target: Target) -> dict[str, Any]:
    """Return the file for Google; the nodes join an existing subnetwork."""
    cloud = _required("ray-up-gcp", target, "image", "project", "zone", "subnetwork")
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
    head, workers = head_node(target.config), training_nodes(target.config)
    libraries = ["google-api-python-client>=2.180", "cryptography"]
    return _cluster(target, provider, node(head), workers, node(workers), libraries)


def machine(cloud: str, nodes: Nodes) -> str:
    """Return the type of the smallest machine that is large enough, in ``aws`` or ``gcp``.

    Raises
    ------
    ConfigError
        No known machine is.
    """
    sizes = _CPUS_WITH_GPUS.get(nodes.gpus, ()) if nodes.gpus else _CPUS
    cpus = next((size for size in sizes if size >= nodes.cpus), None)
    if cpus is None:
        known = [f"{max(cpus)} with {gpus}" for gpus, cpus in _CPUS_WITH_GPUS.items()]
        raise ConfigError(
            f"no machine is known with {nodes.cpus} processors and {nodes.gpus} GPUs. Set deploy.node_cpus and "
            f"deploy.node_gpus to at most {max(_CPUS)} without GPUs, or {', '.join(known)}."
        )
    if cloud == "gcp":
        return f"{'g2' if nodes.gpus else 'n2'}-standard-{cpus}"
    return f"{'g6' if nodes.gpus else 'm6i'}.{_AWS_SIZES.get(cpus, f'{cpus // 4}xlarge')}"


def _required(kind: str, target: Target, *names: str) -> CloudConfig:
    cloud = target.config.deploy.cloud
    missing = [f"deploy.cloud.{name}" for name in names if getattr(cloud, name) is None]
    if missing:
        raise ConfigError(f"{kind} needs {', '.join(missing)}. Give each with --set (see configs/operation.py).")
    return cloud


def _cluster(
    target: Target,
    provider: dict[str, Any],
    head_machine: dict[str, Any],
    workers: Nodes,
    worker_machine: dict[str, Any],
    head_libraries: Sequence[str],
) -> dict[str, Any]:
    gpu_setup = [*_SETUP, _install(f"tensorflow[and-cuda]=={version('tensorflow')}")]
    worker_type = {
        "resources": {"CPU": workers.work_cpus, **({"GPU": workers.gpus} if workers.gpus else {})},
        "min_workers": workers.min_nodes,
        "max_workers": workers.max_nodes,
        **({"worker_setup_commands": gpu_setup} if workers.gpus else {}),
        "node_config": worker_machine,
    }
    return {
        "cluster_name": target.config.deploy.name,
        "max_workers": workers.max_nodes,
        "idle_timeout_minutes": 10,
        "provider": provider,
        "auth": {"ssh_user": "ubuntu"},
        "head_node_type": "head",
        "available_node_types": {
            "head": {"resources": {"CPU": 0}, "min_workers": 0, "max_workers": 0, "node_config": head_machine},
            "train": worker_type,
        },
        "file_mounts": {
            f"{_HOME}/.ray/auth_token": "~/.ray/auth_token",
            **{f"{_HOME}/fleetcast/{name}": name for name in PROJECT},
        },
        "rsync_exclude": ["**/__pycache__"],
        "setup_commands": list(_SETUP),
        "head_setup_commands": [_install(*head_libraries)],
        "head_start_ray_commands": [
            "ray stop",
            f"{_START} --head --port=6379 --object-manager-port=8076 --dashboard-host=127.0.0.1 "
            "--autoscaling-config=~/ray_bootstrap_config.yaml",
        ],
        "worker_start_ray_commands": ["ray stop", f"{_START} --address=$RAY_HEAD_IP:6379 --object-manager-port=8076"],
    }


def _install(*packages: str) -> str:
    quoted = " ".join(f"'{package}'" for package in packages)
    return f"cd ~/fleetcast && ~/uv/bin/uv pip install --quiet {quoted}"


_SHELL = " ".join(f"{name}={value}" for name, value in {"RAY_AUTH_MODE": "token", **ENVIRONMENT, **HOOK}.items())
_SETUP = (
    "sudo apt-get update -q && sudo apt-get install -y -q --no-install-recommends python3-venv",
    "python3 -m venv ~/uv && ~/uv/bin/pip install --quiet 'uv>=0.9'",
    "cd ~/fleetcast && ~/uv/bin/uv sync --quiet --no-dev",
    f"grep -q fleetcast ~/.bashrc || echo 'export {_SHELL} PATH=\"{_VENV}/bin:$PATH\"' >> ~/.bashrc",
)
