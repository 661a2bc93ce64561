"""Free ports can be bound, and lie outside the range from which the system assigns ports."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.ports import check_port, free_ports
from configs.errors import ClusterError

ASSIGNED = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_free_ports_can_all_be_bound_and_differ():
    assert free_ports(0) == []
    with ExitStack() as sockets:
        for port in free_ports(5):
            sockets.enter_context(socket.socket()).bind(("127.0.0.1", port))  # a second time would fail


@pytest.mark.skipif(not ASSIGNED.exists(), reason="only Linux publishes the range from which it assigns ports")
def test_no_free_port_is_in_the_range_that_the_system_assigns():
    lowest = int(ASSIGNED.read_text().split()[0])
    if lowest < 30_000:
        pytest.skip(f"this machine assigns ports from {lowest}, not from 32768")
    assert all(19_999 < port < lowest for port in free_ports(200))


def test_a_port_that_is_taken_is_not_free():
    with ExitStack() as sockets:
        taken = free_ports(5)
        for port in taken:
            sockets.enter_context(socket.socket()).bind(("127.0.0.1", port))
        assert not set(taken) & set(free_ports(9_000))
        with pytest.raises(ClusterError, match=r"only \d+ ports from 20000 to 29899 are free here, not 9900"):
            free_ports(9_900)


def test_an_address_that_cannot_be_bound_is_one_line():
    with pytest.raises(ClusterError, match=r"cannot listen at 203\.0\.113\.1:8000 .*--port or --host"):
        check_port("203.0.113.1", 8000)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port := free_ports(1)[0]))
        listener.listen()
        with pytest.raises(ClusterError, match=rf"cannot listen at 127\.0\.0\.1:{port} \(.*in use\)"):
            check_port("127.0.0.1", port)
