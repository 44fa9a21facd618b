"""Names of other programs for Ollama's parameters."""

from modelfile.catalog.parameters import PARAMETERS, aliases
from modelfile.catalog.parameters.aliases import explain_absence, find_instruction, find_parameter, normalize
from modelfile.syntax.nodes import WORDS


def test_every_alias_leads_to_a_parameter_and_is_none_itself() -> None:
    assert set(aliases.ALIASES.values()) <= PARAMETERS.keys()
    tables = (aliases.ALIASES, aliases.INSTRUCTIONS, aliases.ELSEWHERE)
    names = [name for table in tables for name in table]
    assert not {*names} & PARAMETERS.keys()
    assert len({*names}) == len(names)
    assert all(normalize(name) == name for name in names)
    assert set(aliases.INSTRUCTIONS.values()) <= WORDS.keys()


def test_spelling_of_a_name_does_not_matter() -> None:
    assert [find_parameter(name) for name in ("topK", "TOP-K", "--top-k", "`top_k`", "top.k")] == ["top_k"] * 5
    assert [find_parameter(name) for name in ("maxNewTokens", "MAX_TOKENS")] == ["num_predict"] * 2
    assert find_parameter("tokens") is None


def test_settings_of_other_places_are_explained() -> None:
    assert "OLLAMA_NUM_PARALLEL" in (explain_absence("n-parallel") or "")
    assert explain_absence("temperature") is None
    assert find_instruction("System-Prompt") == "SYSTEM"
