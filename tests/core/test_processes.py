import socket

from kit.core.processes import HOST, free_port


def test_a_free_port_is_the_wanted_one_unless_somebody_listens_there() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        wanted = taken.getsockname()[1]
        taken.listen()
        assert free_port(wanted) != wanted
    assert free_port(wanted) == wanted
