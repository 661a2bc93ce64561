"""The image of every node: this project with the versions pinned in ``pyproject.toml``, and a user other than root."""

from __future__ import annotations

import re
from importlib.metadata import metadata, version

from cluster.jobs.packaging import PACKAGES
from cluster.manifests.machines import PROJECT
from cluster.manifests.pods import USER
from cluster.manifests.target import Target
from cluster.session import ENVIRONMENT
from configs.errors import ConfigError

_TEXT = """\
ARG PYTHON={python}

FROM python:${{PYTHON}}-slim AS build
ARG TENSORFLOW=tensorflow
ENV UV_PROJECT_ENVIRONMENT=/opt/venv UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_CACHE=1
RUN pip install --no-cache-dir 'uv>=0.9'
WORKDIR /build
COPY {about} ./
RUN uv sync --no-dev --no-install-project
RUN VIRTUAL_ENV=/opt/venv uv pip install "${{TENSORFLOW}}=={tensorflow}"
{packages}
RUN uv sync --no-dev --no-editable --inexact

FROM python:${{PYTHON}}-slim
RUN useradd --uid {user} --create-home fleetcast \\
    && echo 'PATH=/opt/venv/bin:$PATH' > /etc/profile.d/fleetcast.sh
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 {environment}
USER {user}:{user}
WORKDIR /home/fleetcast
CMD ["fleetcast", "--help"]
"""


def containerfile(target: Target) -> str:
    """Return the container file, which is the same for every target.

    It has no health check: Kubernetes ignores one, and health depends on what a container runs.
    """
    return _TEXT.format(
        python=oldest_python(),
        tensorflow=version("tensorflow"),
        about=" ".join(name for name in PROJECT if name not in PACKAGES),
        packages="\n".join(f"COPY {name} {name}" for name in PACKAGES),
        environment=" ".join(f"{name}={value}" for name, value in ENVIRONMENT.items()),
        user=USER,
    )


def oldest_python() -> str:
    """Return the oldest Python that this project supports: all dependencies have wheels for it."""
    found = re.search(r">=\s*(\d+\.\d+)", metadata("fleetcast")["Requires-Python"] or "")
    if found is None:
        raise ConfigError("this installation does not say which Python it needs. Install it again with `uv sync`.")
    return found[1]
