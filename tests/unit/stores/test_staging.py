"""Staging tags: their names, their order and when they are stale."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelfile.names import ModelName
from modelfile.stores.protocol import ListedModel
from modelfile.stores.staging import earlier_builds, staging_name, stale_staging

NAME, OTHER = ModelName.parse("bot:v1"), ModelName.parse("bot:mf-building-01234567-v1")


def test_stale_staging_tags_of_other_machines_are_pruned_when_old() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)  # by the server's clock
    names = [
        str(staging_name(NAME)),
        "BOT:mf-building-01234567-v1",
        "bot:mf-building-89abcdef-v1",
        "bot:mf-building-01234567-v2",
        "bot:mf-building-v1",
        "bot:v1",
        "other:mf-building-01234567-v1",
    ]
    ages = dict.fromkeys(names, timedelta(hours=2)) | {names[0]: timedelta(0), names[2]: timedelta(minutes=59)}
    listed = [
        ListedModel(name=ModelName.parse(name), digest="", size=1, modified=now - age) for name, age in ages.items()
    ]
    assert [str(name) for name in stale_staging(NAME, listed)] == names[:2]
    assert stale_staging(NAME, listed[1:2]) == stale_staging(NAME, []) == ()


def test_machines_publish_in_the_order_of_their_staging_tags() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    own = ListedModel(name=staging_name(NAME), digest="", size=1, modified=now)
    earlier = replace(own, name=OTHER, modified=now - timedelta(seconds=1))
    later = replace(earlier, modified=now + timedelta(seconds=1))
    killed = replace(earlier, modified=now - timedelta(hours=2))
    another = replace(earlier, name=ModelName.parse("bot:mf-building-89abcdef-v1"))
    assert earlier_builds(NAME, [earlier, own]) == (earlier,)
    assert earlier_builds(NAME, [killed, another, own]) == (another,)
    assert earlier_builds(NAME, [own, later, killed]) == ()
    assert earlier_builds(NAME, [own, replace(earlier, name=ModelName.parse("bot:mf-building-01234567-v2"))]) == ()
    assert earlier_builds(NAME, [earlier]) == ()


def test_staging_tag_is_unique_per_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = staging_name(NAME)
    assert staging_name(NAME) == here
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert staging_name(NAME) != here
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert re.fullmatch("mf-building-[0-9a-f]{8}-v1", staging_name(NAME).tag)


def test_builds_in_a_folder_and_on_its_server_wait_for_each_other() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    on_server = ListedModel(name=staging_name(NAME), digest="", size=1, modified=now)
    in_folder = replace(on_server, name=staging_name(NAME, in_folder=True), modified=now + timedelta(seconds=1))
    both = (on_server, in_folder)
    assert not on_server.name.same_as(in_folder.name)
    assert (earlier_builds(NAME, both), earlier_builds(NAME, both, in_folder=True)) == ((), (on_server,))
    assert stale_staging(NAME, both) == (on_server.name,)
    assert stale_staging(NAME, both, in_folder=True) == (in_folder.name,)


def test_staging_tag_of_a_long_tag_is_a_valid_name() -> None:
    name = replace(NAME, tag="x" * 80)
    assert ModelName.parse(str(staging_name(name))).tag != name.tag
