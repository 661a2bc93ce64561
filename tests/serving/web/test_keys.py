"""Keys are stored as hashes, admitted only if correct, and revoked by deleting their line."""

import os
import stat

import pytest

from configs.errors import ConfigError
from serving.web.keys import Keys, add_key
from serving.web.rate_limit import RateLimit


def test_a_key_maps_to_its_name_and_only_its_hash_is_stored(tmp_path):
    file = tmp_path / "keys"
    made = {name: add_key(file, name) for name in ("desk", "research.1")}
    text = file.read_text()
    assert all(key not in text and key.removeprefix("fc_") not in text for key in made.values())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    keys = Keys(file)
    assert keys.names == ["desk", "research.1"]
    assert {name: keys.name_of(key) for name, key in made.items()} == {name: name for name in made}
    for wrong in ("", "fc_", made["desk"][:-1], made["desk"] + "x", "\udce4", text):
        assert keys.name_of(wrong) is None


def test_a_deleted_line_revokes_a_key_and_an_invalid_file_revokes_none(tmp_path):
    file = tmp_path / "keys"
    desk, other = add_key(file, "desk"), add_key(file, "other")
    keys = Keys(file)
    lines = file.read_text().splitlines(keepends=True)
    write(file, lines[1])
    assert keys.refresh() == "" and keys.name_of(desk) is None and keys.name_of(other) == "other"
    write(file, "nonsense")
    assert "line 1: expected name:sha256:" in keys.refresh()
    assert keys.name_of(other) == "other"


def test_deleting_the_last_line_or_the_file_revokes_every_key(tmp_path):
    file = tmp_path / "keys"
    key = add_key(file, "desk")
    keys, text = Keys(file), file.read_text()
    write(file, "# none\n")
    assert "no request is admitted" in keys.refresh() and keys.name_of(key) is None
    write(file, text)
    assert keys.refresh() == "" and keys.name_of(key) == "desk"
    file.unlink()
    assert "does not exist" in keys.refresh() and keys.name_of(key) is None


def test_a_key_is_revoked_although_the_file_keeps_its_time_and_size(tmp_path):
    file = tmp_path / "keys"
    desk, other = add_key(file, "desk"), add_key(tmp_path / "others", "desk")
    keys, before = Keys(file), file.stat()
    file.write_text((tmp_path / "others").read_text())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size and file.stat().st_mtime_ns == before.st_mtime_ns
    assert keys.refresh() == "" and keys.name_of(desk) is None and keys.name_of(other) == "desk"


def test_a_key_is_added_to_a_file_without_a_last_line_break(tmp_path):
    file = tmp_path / "keys"
    first = add_key(file, "one")
    file.write_text(file.read_text().rstrip("\n"))
    second = add_key(file, "two")
    assert [Keys(file).name_of(key) for key in (first, second)] == ["one", "two"]


def write(file, text):
    before = file.stat().st_mtime_ns
    file.write_text(text)
    os.utime(file, ns=(before + 1, before + 1))


def test_mistakes_are_one_line_errors(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read: No such file.*fleetcast keys add NAME"):
        Keys(tmp_path / "nothing")
    (tmp_path / "empty").write_text("# none yet\n")
    with pytest.raises(ConfigError, match="has no key"):
        Keys(tmp_path / "empty")
    add_key(tmp_path / "keys", "desk")
    with pytest.raises(ConfigError, match="already has a key named 'desk'"):
        add_key(tmp_path / "keys", "desk")
    with pytest.raises(ConfigError, match="is not usable"):
        add_key(tmp_path / "keys", "a:b")


def test_a_rate_refills_and_clients_do_not_share_it():
    now = [0.0]
    rate = RateLimit(60, clock=lambda: now[0])
    assert [rate.wait_s("a") for _ in range(60)] == [0.0] * 60
    assert rate.wait_s("a") == pytest.approx(1.0)
    assert rate.wait_s("b") == 0.0
    now[0] = 1.5
    assert rate.wait_s("a") == 0.0 and rate.wait_s("a") == pytest.approx(0.5)
    now[0] = 1e6
    assert [rate.wait_s("a") for _ in range(61)].count(0.0) == 60
