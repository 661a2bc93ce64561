"""Ports: what is said to be free can be listened at, and stays out of the way of whoever asks for any."""

import socket
from pathlib import Path

import pytest

from cluster.ports import check_port, free_ports
from configs.errors import ClusterError

GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_free_ports_can_all_be_listened_at_and_differ():
    ports = free_ports(200)
    assert len(set(ports)) == 200
    for port in ports:
        check_port("127.0.0.1", port)


@pytest.mark.skipif(not GIVEN.exists(), reason="only Linux tells which ports it gives to whoever asks for any")
def test_no_free_port_is_one_that_the_system_gives_to_whoever_asks_for_any():
    lowest = int(GIVEN.read_text().split()[0])
    if lowest < 32_000:
        pytest.skip(f"this machine gives ports from {lowest}, not from 32768")
    assert all(19_999 < port < lowest for port in free_ports(200)), "and none of Ray's workers'"


def test_a_port_that_is_taken_is_not_free():
    taken = free_ports(50)
    held = [socket.socket() for _ in taken]
    for one, port in zip(held, taken, strict=True):
        one.bind(("127.0.0.1", port))
    try:
        assert not set(taken) & set(free_ports(11_000))
        with pytest.raises(ClusterError, match=r"only \d+ ports from 20000 to 31999 are free here, not 12000"):
            free_ports(12_000)
    finally:
        for one in held:
            one.close()


def test_an_address_that_cannot_be_listened_at_is_one_line():
    with pytest.raises(ClusterError, match=r"cannot listen at 203\.0\.113\.1:8000 .*--port or --host"):
        check_port("203.0.113.1", 8000)
    with socket.socket() as held:
        held.bind(("127.0.0.1", port := free_ports(1)[0]))
        held.listen()
        with pytest.raises(ClusterError, match=rf"cannot listen at 127\.0\.0\.1:{port} \(.*in use\)"):
            check_port("127.0.0.1", port)
