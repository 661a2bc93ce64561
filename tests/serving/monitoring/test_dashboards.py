"""The bot's metrics, and the rules and the dashboard that read them, on a real Prometheus."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
import yaml
from waiting import BOUND_S, wait_until

import serving.monitoring
from cluster.ports import free_port
from configs.errors import ConfigError
from serving.monitoring.feature_drift import FeatureDrift
from serving.monitoring.metrics import BotMetrics, metrics_server
from serving.monitoring.monitor import Monitor

pytestmark = pytest.mark.slow

FOLDER = Path(serving.monitoring.__file__).parent / "dashboards"
DASHBOARD = json.loads((FOLDER / "grafana.json").read_text())
RULES = yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"][0]["rules"]
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
NOW = datetime(2024, 6, 1, tzinfo=UTC)
_LABELS = {"kind", "test", "task", "outcome", "state", "action", "figure", "le"}


@pytest.fixture(scope="module")
def metrics(sqlite_template, make_forecasts, fill, tmp_path_factory):
    """The metrics of a bot that has done everything once: its direction forecasts have an alarm."""
    from serving.journal import open_journal

    found = BotMetrics()
    file = shutil.copyfile(sqlite_template, tmp_path_factory.mktemp("metrics") / "journal.db")
    with open_journal(f"sqlite:///{file}") as journal:
        with journal.begin() as connection:
            fill(connection, "direction", make_forecasts("direction", 90, 8, real=-1.0))
            fill(connection, "volatility", make_forecasts("volatility", 20, 4))
        result = Monitor(journal).run(NOW)
    drift = [FeatureDrift("rsi_14", 0.2, 0.1, 0.05, 19, 0.3, 0.5, True)]
    found.live(replace(result, kinds=tuple(replace(one, drift=drift) for one in result.kinds)))
    found.heartbeat(datetime.now(UTC), is_leader=True)
    found.scanned(NOW, 1.5, 600.0, {"forecast": 8, "stopped": 1})
    for outcome in ("ok", "failed", "failed", "failed", "failed"):
        found.task("scan", outcome, 1.5, missed=1)
    found.traded({"buy": 2, "hold": 6}, {"filled": 2})
    found.account(1_000_000.0, 0.4, -0.02)
    found.undelivered(3)
    return found


def names(text):
    return set(re.findall(r"\bfleetcast_\w+", text))


def test_every_name_that_is_read_is_in_the_registry_and_the_other_way_round(metrics):
    text = metrics.text().decode()
    known = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    used = names(" ".join([*QUERIES, *(rule["expr"] for rule in RULES)]))
    assert used <= known
    internal = ("_created", "_sum", "_count")
    assert {name for name in known if not name.endswith(internal)} <= used


def test_labels_are_few_and_never_a_symbol(metrics):
    labels = set(re.findall(r'[{,](\w+)="', metrics.text().decode()))
    assert labels <= _LABELS and "S00" not in metrics.text().decode()


def test_panels_have_numbers_of_their_own_and_a_data_source_that_can_be_chosen():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids) > 10
    assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource"]
    sources = [one["datasource"]["uid"] for panel in DASHBOARD["panels"] for one in (panel, *panel["targets"])]
    assert set(sources) == {"${datasource}"}
    places = [
        (p["gridPos"]["x"] + dx, p["gridPos"]["y"] + dy)
        for p in DASHBOARD["panels"]
        for dx in range(p["gridPos"]["w"])
        for dy in range(p["gridPos"]["h"])
    ]
    assert len(set(places)) == len(places) and max(x for x, _ in places) == 23


def test_metrics_are_answered_on_loopback_and_a_port_in_use_is_one_error(metrics):
    with metrics_server(metrics, "127.0.0.1", 0) as port:
        answer = httpx2.get(f"http://127.0.0.1:{port}/metrics", timeout=BOUND_S)
        assert answer.status_code == 200 and "fleetcast_live_alarm{" in answer.text
        with pytest.raises(ConfigError, match="metrics_port"), metrics_server(metrics, "127.0.0.1", port):
            pass


@pytest.fixture(scope="module")
def prometheus(metrics, tmp_path_factory):
    """The URL of a Prometheus that has scraped the metrics and evaluated the rules."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("needs prometheus (apt-get install prometheus)")
    folder = tmp_path_factory.mktemp("prometheus")
    address = f"127.0.0.1:{free_port()}"
    with metrics_server(metrics, "127.0.0.1", 0) as port:
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(FOLDER / "rules.yaml")],
            "scrape_configs": [{"job_name": "bot", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        command = [binary, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
        try:
            wait_until(
                lambda: len(query(address, "count_over_time(fleetcast_live_alarm[1m]) > 3")) > 0,
                reason=lambda: (folder / "log").read_text()[-3000:],
            )
            yield address
        finally:
            process.terminate()
            process.wait(BOUND_S)


def query(address, expression):
    try:
        response = httpx2.get(f"http://{address}/api/v1/query", params={"query": expression}, timeout=BOUND_S)
    except httpx2.TransportError:
        return []
    if response.status_code == 503:  # it is starting
        return []
    answer = response.json()
    assert answer["status"] == "success", (expression, answer)
    return answer["data"]["result"]


@pytest.mark.parametrize("expression", QUERIES)
def test_every_panel_shows_data(prometheus, expression):
    assert query(prometheus, expression.replace("$__rate_interval", "5m"))


def test_rules_are_valid_and_fire(prometheus):
    subprocess.run(["promtool", "check", "rules", str(FOLDER / "rules.yaml")], check=True, capture_output=True)
    rules = httpx2.get(f"http://{prometheus}/api/v1/rules", timeout=BOUND_S).json()["data"]["groups"][0]["rules"]
    assert [rule["name"] for rule in rules] == [rule["alert"] for rule in RULES]
    assert {rule["health"] for rule in rules} == {"ok"}
    states = {rule["name"]: rule["state"] for rule in rules}
    assert states["FleetcastNoScan"] == states["FleetcastSkillLost"] == "firing"
    assert states["FleetcastAlertsNotDelivered"] == "pending" and states["FleetcastGone"] == "inactive"


def test_no_scan_for_two_periods(metrics, prometheus):
    metrics.scanned(datetime.now(UTC), 0.5, 600.0, {"forecast": 8})
    expression = next(rule["expr"] for rule in RULES if rule["alert"] == "FleetcastNoScan")
    wait_until(lambda: not query(prometheus, expression))
