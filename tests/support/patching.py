"""Apply the changes of a model to it: the proof that they say all that differs."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from modelfile.differ.comparison import DERIVED, Aspect, Change
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message

_FIELDS = {Aspect.ADAPTER: "adapters", Aspect.DRAFT: "drafts"}
_LISTS = {Aspect.WEIGHTS, Aspect.ADAPTER, Aspect.DRAFT}


def apply_changes(model: Model, changes: Iterable[Change]) -> Model:
    """Return the model that changes make of another; what a change says of the old one has to be true."""
    parameters, fields = dict(model.parameters), dict[str, Any]()
    messages = [change for change in changes if change.aspect is Aspect.MESSAGE]
    for change in changes:
        if change.aspect in DERIVED | {Aspect.MESSAGE}:
            continue
        if change.aspect is Aspect.PARAMETER:
            assert parameters.pop(change.name, None) == change.old
            if change.new is not None:
                assert not isinstance(change.new, str | Message)
                parameters[change.name] = change.new
            continue
        name = _FIELDS.get(change.aspect, str(change.aspect))
        empty: object = () if change.aspect in _LISTS else ""
        assert getattr(model, name) == (empty if change.old is None else change.old)
        fields[name] = empty if change.new is None else change.new
    return replace(model, **fields, parameters=parameters, messages=_messages(model.messages, messages))


def _messages(old: tuple[Message, ...], changes: list[Change]) -> tuple[Message, ...]:
    gone = {at: change.old for change in changes if (at := change.positions[0]) is not None}
    placed = {at: change.new for change in changes if (at := change.positions[1]) is not None}
    assert all(old[at] == message for at, message in gone.items())
    stay = iter([message for at, message in enumerate(old) if at not in gone])
    count = len(old) - len(gone) + len(placed)
    made = [placed[at] if at in placed else next(stay) for at in range(count)]
    return tuple(message for message in made if isinstance(message, Message))
