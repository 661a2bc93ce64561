"""The fast ingress: internal ports are bound to loopback, the port of requests to the given host."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """
defaults
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend prometheus
    bind :{metrics}
    mode http
frontend http_frontend
    bind {host}:{port}
    mode http
listen stats
  bind *:{stats}
  mode http
  stats enable
"""

PREPARE = """
import json, os, subprocess, sys
from cluster.ingress import prepare_ingress
prepare_ingress(True)
ours = {name: value for name, value in os.environ.items() if name.startswith("RAY_SERVE")}
metrics, stats = (ours[f"RAY_SERVE_HAPROXY_{name}_PORT"] for name in ("METRICS", "STATS"))
with open(sys.argv[2], "w") as file:
    file.write(sys.argv[1].format(metrics=metrics, stats=stats, host=sys.argv[3], port=8123))
done = subprocess.run([ours["RAY_SERVE_HAPROXY_BINARY_PATH"], "-c", "-f", sys.argv[2]], capture_output=True, text=True)
print(json.dumps({"code": done.returncode, "output": done.stdout + done.stderr, "ours": ours}))
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "*"])
def test_only_statistics_and_metrics_are_bound_to_loopback(host, tmp_path):
    file = tmp_path / "haproxy.cfg"
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, CONFIG, str(file), host],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["code"] == 0, found["output"]
    binds = [line.split()[1] for line in file.read_text().splitlines() if line.strip().startswith("bind")]
    metrics, stats = (found["ours"][f"RAY_SERVE_HAPROXY_{name}_PORT"] for name in ("METRICS", "STATS"))
    assert binds == [f"127.0.0.1:{metrics}", f"{host}:8123", f"127.0.0.1:{stats}"]
