"""The text of a lock."""

import pytest

from modelfile.errors import InputError
from modelfile.lockfile.lock import Lock, Pin

PIN = Pin(text=f"sha256:{'1' * 64}", fingerprint=f"mf1:{'3' * 64}")


def test_equal_locks_have_equal_texts() -> None:
    pins = {"b": PIN, "a": PIN}
    assert Lock(modelfiles=pins).dumps() == Lock(modelfiles=dict(reversed(pins.items()))).dumps()
    assert Lock(modelfiles=pins).dumps().endswith("}\n")


def test_a_path_that_is_not_utf_8_is_rejected_before_writing() -> None:
    assert "ü" in Lock(modelfiles={"ü": PIN}).dumps()
    with pytest.raises(InputError, match=r"cannot write `x/mf\.lock`: `bot") as raised:
        Lock(modelfiles={"bot\udcff/Modelfile": PIN}).dumps("x/mf.lock")
    assert raised.value.message.endswith("/Modelfile` is not UTF-8")
