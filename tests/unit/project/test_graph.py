"""The graph of a project's models: order and cycles."""

import pytest

from modelfile.errors import UsageError
from modelfile.names import ModelName
from modelfile.project.graph import Graph

A, B, C, OUTSIDE = (ModelName.parse(f"{name}:v1") for name in ("a", "b", "c", "outside"))


def test_bases_come_first() -> None:
    assert Graph({A: B, B: C, C: OUTSIDE}).layers() == ((C,), (B,), (A,))
    assert Graph({A: None, B: None}).layers() == ((A, B),)
    assert Graph({}).layers() == ()


def test_names_are_compared_without_case() -> None:
    assert Graph({A: ModelName.parse("B:V1"), B: None}).base == {A: B}
    with pytest.raises(UsageError, match="A:V1"):
        Graph({A: None, ModelName.parse("A:V1"): None})


@pytest.mark.parametrize("bases", [{A: A}, {A: B, B: A}, {C: A, A: B, B: A}])
def test_a_cycle_is_an_error_that_names_its_models(bases: dict[ModelName, ModelName | None]) -> None:
    with pytest.raises(UsageError, match=r"\ba:v1\b") as caught:
        Graph(bases).layers()
    assert "c:v1" not in caught.value.message
