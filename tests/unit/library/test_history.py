"""Backups of a tag, and rollback."""

import pytest
from tests.unit.library.conftest import V1, system

from modelfile.errors import NotFound, UsageError, WouldReplace
from modelfile.library.history import backups, rollback
from modelfile.library.replacement import copy
from modelfile.stores.memory import MemoryStore


def test_a_rollback_and_its_undoing(store: MemoryStore) -> None:
    copy("bot:v2", "bot:v1", store, replace=True)
    assert [backup.current for backup in backups("bot:v1", store)] == [False]
    with pytest.raises(WouldReplace, match="bot:v1") as raised:
        rollback("bot:v1", store)
    assert raised.value.details == ("changes: system (may change answers)",)
    assert system(store, V1) == "two"
    done = rollback("bot:v1", store, replace=True)
    assert system(store, V1) == "one"
    assert rollback("bot:v1", store, replace=True).fingerprint != done.fingerprint
    assert system(store, V1) == "two"
    assert done.fingerprint
    assert rollback("bot:v1", store, done.fingerprint[:12], replace=True).digest == done.digest
    with pytest.raises(NotFound):
        rollback("bot:v1", store, "mf1:0000")
    with pytest.raises(UsageError):
        rollback("bot:v1", store, "mf1:")
