"""Tests of `record`: its classes do what dataclasses do."""

import copy
import dataclasses
import inspect
import math
import pickle
from dataclasses import asdict, dataclass, fields
from functools import cached_property

import pytest

from modelfile.immutable import asdict as asdict_of_records
from modelfile.immutable import field, field_names, record, replace, required_field_names


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
    assert dataclasses.replace(child, second=5).double == 10
    assert Child.__match_args__ == ("value",)
    assert [each.kw_only for each in fields(child)] == [False, True, True]
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


def test_replace_takes_records_and_dataclasses() -> None:
    child = replace(Child(1, third=[4]), second=5)
    assert (child.value, child.second, child.third) == (1, 5, [4])
    assert replace(Ordinary(1), value=2) == Ordinary(2)
    with pytest.raises(TypeError, match="fourth"):
        replace(child, fourth=1)  # type: ignore[call-arg]  # it is wrong
    assert field_names(Child) == ("value", "second", "third")


def test_required_fields_have_no_default() -> None:
    assert required_field_names(Child) == {"value"}
    assert required_field_names(Empty) == required_field_names(int) == set()


@pytest.mark.parametrize("value", [1, [One(2), "x"], {"a": One((One(3),))}, (One(None),)], ids=repr)
def test_asdict_is_that_of_dataclasses(value: object) -> None:
    assert asdict_of_records(Child(value)) == asdict(Child(value))
    assert list(asdict_of_records(Child(value))) == ["value", "second", "third"]


def test_the_arguments_are_those_of_a_dataclass() -> None:
    with pytest.raises(TypeError, match=r"One\.__init__\(\) missing 1 required positional argument: 'value'"):
        One()  # type: ignore[call-arg]  # it is wrong
    with pytest.raises(TypeError, match=r"Child\.__init__\(\) takes 2 positional arguments but 3 were given"):
        Child(1, 2)  # type: ignore[call-arg]  # it is wrong
    signature = inspect.signature(Child)
    assert [*signature.parameters] == ["value", "second", "third"]
    assert signature.parameters["second"].default == 2
    assert signature.parameters["second"].kind is inspect.Parameter.KEYWORD_ONLY


def test_a_default_factory_is_called_for_each_instance() -> None:
    first, second = Child(1), Child(1)
    first.third.append(1)
    assert second.third == []


@record(frozen=False)
class Counter:
    """A class that changes."""

    most: int = 3
    left: int = field(init=False)
    seen: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Fill what is left."""
        self.left = self.most


def test_one_that_is_not_frozen_changes_and_has_no_hash() -> None:
    counter = Counter(5)
    counter.left -= 1
    assert (counter.most, counter.left, counter.seen) == (5, 4, [])
    assert counter == copy.copy(counter) != Counter(5)
    assert replace(counter) == Counter(5)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_one_without_eq_is_compared_and_hashed_by_identity() -> None:
    @record(eq=False)
    class Distinct:
        """A class whose instances are all different."""

        value: int

    one = Distinct(1)
    assert one != Distinct(1)
    assert len({one, Distinct(1), one}) == 2


def test_one_without_slots_may_have_cached_properties() -> None:
    @record(kw_only=True, slots=False)
    class Cached:
        """A class with a cached property."""

        value: int = 1

        @cached_property
        def double(self) -> list[int]:
            """Twice the value."""
            return [self.value * 2]

    cached = Cached()
    assert cached.double is cached.double
    assert cached.double == [2]
    assert cached == Cached(value=1)


@record(slots=False, frozen=False, eq=False)
class Failure(Exception):  # short
    """An exception with fields."""

    message: str
    offset: int = 0


class WorseFailure(Failure):
    """A class without fields of its own."""

    def __init__(self, message: str) -> None:
        super().__init__(message, offset=7)


def test_exceptions_and_ordinary_subclasses() -> None:
    assert WorseFailure("no").offset == 7
    assert Failure("no", 3).offset == 3
    assert WorseFailure("no").args == ("no",)
    assert repr(WorseFailure("no")) == "WorseFailure(message='no', offset=7)"


def test_a_field_of_dataclasses_is_rejected() -> None:
    with pytest.raises(TypeError, match=r"`value` of .*Wrong needs `modelfile\.immutable\.field`"):

        @record()
        class Wrong:
            """A class with a field that `record` does not know."""

            value: list[int] = dataclasses.field(default_factory=list)
