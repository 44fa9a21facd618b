"""The table of the peculiarities of registries."""

from modelfile.stores.registry.quirks import QUIRKS, STANDARD, quirks_of


def test_hosts_are_found_in_any_case_and_others_are_standard() -> None:
    assert quirks_of("Registry.Ollama.AI") is QUIRKS["registry.ollama.ai"]
    assert quirks_of("registry.ollama.ai:444") is STANDARD
    assert quirks_of("hf.co.example") is STANDARD


def test_every_entry_has_a_source() -> None:
    assert all(quirks.source for quirks in (STANDARD, *QUIRKS.values()))
