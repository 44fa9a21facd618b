"""Tests of `record`: its classes do what frozen dataclasses do."""

import copy
import math
import pickle
from dataclasses import asdict, dataclass, field, fields, replace

import pytest

from modelfile.immutable import record


@record()
class Empty:
    """Nothing."""


@record()
class One:
    """One field."""

    value: object


@record(kw_only=True)
class Child(One):
    """More fields, one of which does not count."""

    second: int = 2
    third: list[int] = field(default_factory=list, compare=False, repr=False)

    @property
    def double(self) -> int:
        """Twice the second."""
        return self.second * 2


@dataclass(frozen=True, slots=True)
class Ordinary:
    """The class of `dataclass` to compare with."""

    value: object


def test_equality_and_hash_are_those_of_the_compared_fields() -> None:
    assert Child(1, second=3, third=[1]) == Child(1, second=3)
    assert hash(Child(1, second=3, third=[1])) == hash(Child(1, second=3))
    assert Child(1) != Child(2)
    assert One(1) != Child(1)
    assert Child(1) != "1"  # type: ignore[comparison-overlap]  # the test
    assert Empty() == Empty()
    assert len({Empty(), One(1), One(1), Child(1), Child(1)}) == 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(One([]))


@pytest.mark.parametrize("value", [1, "x", None, (1, 2), math.nan], ids=repr)
def test_one_field_is_as_in_a_dataclass(value: object) -> None:
    assert (One(value) == One(value)) is (Ordinary(value) == Ordinary(value))
    assert hash(One(value)) == hash(Ordinary(value))
    assert repr(One(value)) == repr(Ordinary(value)).replace("Ordinary", "One")


def test_the_functions_of_dataclasses_work() -> None:
    child = Child(1, third=[4])
    assert repr(child) == "Child(value=1, second=2)"
    assert asdict(child) == {"value": 1, "second": 2, "third": [4]}
    assert [each.name for each in fields(Child)] == ["value", "second", "third"]
    assert replace(child, second=5).double == 10
    assert Child.__match_args__ == ("value",)
    assert copy.deepcopy(child) == pickle.loads(pickle.dumps(child)) == child  # noqa: S301  # our own


def test_instances_have_slots_only() -> None:
    assert not hasattr(Child(1), "__dict__")
    with pytest.raises(AttributeError):
        One(1).other = 2  # type: ignore[attr-defined]  # the test


def test_methods_of_the_class_stay() -> None:
    @record()
    class Own:
        """A class that describes itself."""

        value: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own)

        def __hash__(self) -> int:
            return 7

    assert repr(Own(1)) == "own"
    assert Own(1) == Own(2)
    assert hash(Own(1)) == 7
