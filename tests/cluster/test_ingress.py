"""The fast ingress: internal ports are bound to loopback, and connections are limited."""

import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from raw_http import answer, ask, stalled
from waiting import BOUND_S, NEVER_S, wait_until

from cluster.haproxy import with_limits
from cluster.ports import free_port

CONFIG = """
global
    maxconn 100
defaults
    mode http
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


START = """
import os, sys
from cluster.ingress import prepare_ingress
from serving.web.limits import Limits
prepare_ingress(True, Limits(connections=int(sys.argv[2]), header_s=float(sys.argv[3])))
binary = os.environ["RAY_SERVE_HAPROXY_BINARY_PATH"]
text = open(sys.argv[1]).read().replace("MAXCONN", os.environ["RAY_SERVE_HAPROXY_MAXCONN"])
for name in ("METRICS", "STATS"):
    text = text.replace(name, os.environ[f"RAY_SERVE_HAPROXY_{name}_PORT"])
open(sys.argv[1], "w").write(text)
os.execv(binary, [binary, "-db", "-f", sys.argv[1]])
"""


class Backend(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def haproxy(folder, connections, header_s, backend="server one 127.0.0.1:PORT", status=200):
    """HAProxy as Serve starts it, in front of a server; wait until it answers with a ``status``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    server.handle_error = lambda *_: None  # HAProxy ends its idle connections with a reset
    threading.Thread(target=server.serve_forever).start()
    port, file = free_port(), folder / "haproxy.cfg"
    text = CONFIG.format(metrics="METRICS", stats="STATS", host="127.0.0.1", port=port)
    text = text.replace("client 1s", f"client {NEVER_S:.0f}s").replace("maxconn 100", "maxconn MAXCONN")
    text = text.replace("connect 1s", "connect 60s").replace("server 1s", "server 60s")  # a busy machine is no fault
    text += f"backend all\n    mode http\n    {backend.replace('PORT', str(server.server_port))}\n"
    file.write_text(text.replace(f"bind 127.0.0.1:{port}", f"bind 127.0.0.1:{port}\n    default_backend all"))
    arguments = [sys.executable, "-c", START, str(file), str(connections), str(header_s)]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        arguments, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: process.poll() is not None or ask(url)[0] == status)
        assert process.poll() is None
        yield url
    finally:
        process.terminate()
        process.wait(BOUND_S)
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_unfinished_headers_are_closed_in_time_and_others_are_answered_meanwhile(tmp_path):
    with haproxy(tmp_path, 1_000_000, 1.0) as url:  # as many as the limit of open files allows
        with stalled(url, 500, b"GET / HTTP/1.1\r\nHost: a\r\nX-A") as slow:
            assert [ask(url)[0] for _ in range(10)] == [200] * 10
            found = [answer(one) for one in slow]
        assert {status for status, _ in found} == {408}


@pytest.mark.slow
def test_one_address_has_half_of_the_connections(tmp_path):
    with haproxy(tmp_path, 100, NEVER_S) as url, stalled(url, 70, b"GET / HTTP/1.1\r\nHost: a\r\nX-A") as slow:
        wait_until(lambda: ask(url)[0] == 0)  # closed, once both threads of HAProxy have counted theirs
        assert ask(url, source="127.0.0.2")[0] == 200
        for one in slow:
            one.close()
        wait_until(lambda: ask(url)[0] == 200)


@pytest.mark.slow
def test_without_an_application_the_answer_is_503_which_clients_repeat(tmp_path):
    from ray.serve._private import haproxy_templates

    (line,) = re.findall(r"http-request return status 404 .*", Path(haproxy_templates.__file__).read_text())
    with haproxy(tmp_path, 100, NEVER_S, line, 503) as url, httpx2.Client(base_url=url, timeout=BOUND_S) as client:
        found = client.get("/v1/health/ready")
    assert found.status_code == 503 and found.headers["Retry-After"] == "1"
    assert found.json()["error"]["code"] == "unavailable"


def test_limits_are_added_once_to_the_template_of_serve():
    text = with_limits(CONFIG.format(metrics=1, stats=2, host="*", port=3), [1, 2], 10_000, 50)
    assert with_limits(text, [1, 2], 10_000, 50) == text
    assert text.count("timeout http-request 10000ms") == 1 and text.count("sc0_conn_cur gt 50") == 1
