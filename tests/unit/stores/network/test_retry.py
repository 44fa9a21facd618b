"""Waits between retries."""

from modelfile.stores.network.retry import Backoff


def test_waits_are_cut_by_chance() -> None:
    assert [*Backoff(tries=4, chance=lambda: 0).waits(answered=True)] == [0.25, 0.5, 1]
    assert [*Backoff(tries=4, chance=lambda: 1).waits(answered=True)] == [0.125, 0.25, 0.5]


def test_a_restart_by_systemd_is_outlasted_and_an_absent_server_is_reported_within_a_second() -> None:
    assert sum(Backoff(chance=lambda: 1).waits(answered=True)) > 3.5
    assert sum(Backoff(chance=lambda: 0).waits(answered=False)) < 1
