"""Errors of buckets, and leases between processes, over HTTP."""

import subprocess
import sys
import time

import pytest
from waiting import BOUND_S

from configs.errors import DataError, StoreError
from features.sources.table_file import find
from features.store.lease import hold_lease
from features.store.object_files import ObjectFiles
from features.store.store import Store
from training.registry.blocks import Block, write_block
from training.registry.manager import ModelManager

pytestmark = pytest.mark.slow

INVALID_URIS = ["gopher://x/y", "s3://key:secret@bucket/x", "s3://bucket/x?endpoint_override=y"]
INVALID_URIS += ["s3://b/a#1", "s3://b/a%20b", "s3://b/../c"]


@pytest.mark.parametrize("uri", INVALID_URIS)
def test_an_invalid_uri_is_one_clear_error_without_secrets(uri: str) -> None:
    with pytest.raises(StoreError, match=r"cannot be opened.*s3://bucket/folder.*AWS_ENDPOINT_URL") as caught:
        Store(uri)
    assert "secret" not in str(caught.value)


def test_secrets_in_the_uri_of_a_source_are_not_shown() -> None:
    for spec in ("s3://key:secret@bucket/*/x.csv", "s3://bucket/x.csv?secret_key=secret"):
        with pytest.raises(DataError, match="Give credentials in the environment") as caught:
            find(spec)
        assert "secret" not in str(caught.value)


def test_replacing_an_object_within_a_second_changes_its_stamp(s3: str) -> None:
    store, stamps = Store(s3), set()
    for data in (b"1", b"2", b"3"):
        store.write("a", data)
        stamps.add(store.stamp("a"))
    assert len(stamps) == 3


class LostResponses(ObjectFiles):
    """A bucket that loses the responses to conditional writes, so that the client repeats them and is refused."""

    def _put_if(self, path: str, data: bytes, tag: dict[str, str] | None) -> bool:
        super()._put_if(path, data, tag)
        return super()._put_if(path, data, tag)


def test_a_write_whose_response_was_lost_counts_as_written(s3: str) -> None:
    files = LostResponses(s3)
    with hold_lease(files, "lease"):
        with pytest.raises(BlockingIOError), hold_lease(files, "lease", wait=False):
            pass
    with hold_lease(files, "lease", wait=False):
        pass
    manager = ModelManager(s3)
    for run in "ab":
        write_block(manager.store, f"runs/{run}", Block("direction", ("X",), {}))
    made = [manager.publish("direction", [f"runs/{r}"], {"config": {"r": r}, "data_hash": ""}).version for r in "ab"]
    manager.promote("direction", made[0], "x")
    manager.promote("direction", made[1], "x")
    manager.store._files = files
    assert manager.rollback("direction").champion == made[0] == manager.aliases("direction").champion
    assert manager.publish("direction", ["runs/a"], {"config": {"r": "c"}, "data_hash": ""}).is_new


def test_a_missing_bucket_is_distinguished_from_a_missing_file(s3_server: str) -> None:
    store = Store("s3://does-not-exist/store")
    for attempt in (lambda: store.read("a"), lambda: store.write("a", b"x"), lambda: store.names("a")):
        with pytest.raises(StoreError, match=r"bucket does not exist.*--store"):
            attempt()


def test_an_unreachable_endpoint_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.store.object_client._RETRIES", {"max_retries": 1})
    for name, value in (("ENDPOINT_URL", "http://127.0.0.1:9"), ("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with pytest.raises(StoreError, match=r"cannot read 's3://b/store/a'.*AWS_ENDPOINT_URL") as caught:
        Store("s3://b/store").read("a")
    assert "\n" not in str(caught.value)


def test_missing_credentials_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.store.object_client._RETRIES", {"max_retries": 1})
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "ENDPOINT_URL"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")  # the machine has no role either
    with pytest.raises(StoreError, match=r"Check the credentials \(AWS_ACCESS_KEY_ID"):
        Store("s3://b/store").read("a")


COUNT = """
import sys
from features.store.store import Store
store = Store(sys.argv[1])
for _ in range(15):
    store.update("aliases", lambda current: str(int(current or b"0") + 1).encode())
    with store.lock("counter"):
        store.write("counter", str(int(store.read("counter")) + 1).encode())
"""


def test_processes_that_share_a_bucket_lose_no_change(s3: str) -> None:
    store = Store(s3)
    store.write("counter", b"0")
    running = [subprocess.Popen([sys.executable, "-c", COUNT, s3]) for _ in range(2)]
    assert [process.wait(BOUND_S) for process in running] == [0, 0]
    assert (store.read("aliases"), store.read("counter")) == (b"30", b"30")


HOLD = """
import os, sys
from features.store.lease import hold_lease
from features.store.object_files import ObjectFiles
print("waiting", flush=True)
lease = hold_lease(ObjectFiles(sys.argv[1]), "lease")
lease.__enter__()
os._exit(9)
"""


def test_the_lease_of_a_killed_holder_is_taken_over_after_a_term(s3: str) -> None:
    assert subprocess.run([sys.executable, "-c", HOLD, s3], check=False).returncode == 9
    files = Store(s3)
    with pytest.raises(BlockingIOError), hold_lease(files, "lease", wait=False):
        pass
    start = time.monotonic()
    with hold_lease(files, "lease", term_s=1.0):
        assert time.monotonic() - start >= 1.0
    with hold_lease(files, "lease", wait=False):
        pass


def test_a_running_holder_keeps_its_lease_beyond_the_term(s3: str) -> None:
    files, events = Store(s3), []
    with hold_lease(files, "lease", term_s=2.0):
        waiting = subprocess.Popen(
            [sys.executable, "-c", HOLD.replace('"lease")', '"lease", term_s=2.0)').replace("9", "0"), s3],
            stdout=subprocess.PIPE,
        )
        assert waiting.stdout is not None and waiting.stdout.readline() == b"waiting\n"
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(3)
        events.append("released")
    assert events == ["released"] and waiting.wait(BOUND_S) == 0


def test_a_holder_that_lost_its_lease_gets_an_error(s3: str) -> None:
    files = Store(s3)
    with (
        pytest.raises(StoreError, match="did not renew 'lease' in time and another took over"),
        hold_lease(files, "lease"),
    ):
        files.write("lease", b'{"holder": "another process", "beat": 0}')
