"""The codes of what `mf check` reports besides rules."""

import re

from tests.support.paths import ROOT

from modelfile.inspection import CONDITIONS, STALE
from modelfile.linter.rules import RULES
from modelfile.lockfile.drift import Reason


def test_no_code_or_name_is_that_of_a_rule_and_none_can_become_one() -> None:
    assert {one.name for one in CONDITIONS}.isdisjoint(rule.name for rule in RULES)
    assert all(re.fullmatch(r"(?:FMT|PIN)[0-9]{3}", one.code) for one in CONDITIONS)
    assert all(rule.code.startswith("MF") for rule in RULES)
    codes = [one.code for one in CONDITIONS]
    assert codes == sorted(set(codes))
    assert len({one.name for one in CONDITIONS}) == len(CONDITIONS)


def test_every_reason_for_a_stale_lock_has_a_code() -> None:
    assert {*STALE} == {*Reason}


def test_the_help_and_the_page_name_the_last_code() -> None:
    for page in ("docs/ci.md", "docs/cli.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert re.findall(r"PIN001`? to `?(PIN[0-9]{3})", text) == [CONDITIONS[-1].code]
