"""Cases of template-ignored: chat templates inside weights, as Ollama 0.30 and later compare them with TEMPLATE."""

from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.tiny_gguf import write_tiny_gguf

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile
from modelfile.weights.header import GGUFHeader

PLAIN = "{{ .System }} {{ .Prompt }}"
TOOLS = "{{ .Tools }}{{ range .Messages }}{{ .Role }}: {{ .Content }}{{ .ToolCalls }} {{ end }}"
RESULTS = TOOLS + '{{ range .Messages }}{{ if eq .Role "tool" }}{{ .Content }}{{ end }}{{ end }}'
THINKING = "{{ range .Messages }}{{ .Content }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ end }}"
ROUND_TRIP = "{% if tools %}{{ tool_calls }}{% if message.role == 'tool' %}"
IGNORED = "Ollama 0.30 and later ignore this TEMPLATE: the chat template inside the weights supports {}"


def header(chat: str) -> GGUFHeader:
    return GGUFHeader(metadata={"general.architecture": "llama"}, size=0, needed=0, blocks=0, chat_template=chat)


def messages(chat: str, template: str, *lines: str, base: str = "./weights.gguf", ollama: str = "0.33.0") -> list[str]:
    text = "\n".join(["# For tests.", f"FROM {base}", *lines, f'TEMPLATE """{template}"""', ""])
    context = Context(
        modelfile=Modelfile.parse(Source(text=text)),
        ollama=catalog(Version.parse(ollama)),
        exists="./weights.gguf".__eq__,
        headers=lambda path: {path: header(chat)},
    )
    return [one.message for one in lint(context) if one.code == "MF426"]


@pytest.mark.parametrize(
    ("chat", "template", "lost"),
    [
        ("{% if tools %}", PLAIN, "tools"),
        ("{{ tool_call }}", PLAIN, "tools"),
        ("<think></think>", PLAIN, "thinking"),
        ("{{ content.split('</think>')[0] }}", PLAIN, "thinking"),
        ("{{ content.split('</think>')[0] }}{{ reasoning_content }}", PLAIN, None),
        ("{% if tools %}<think></think>", PLAIN, "tools and thinking"),
        ("{% if tools %}<think></think>", TOOLS, "thinking"),
        ("{% if tools %}<think></think>", RESULTS, None),
        (ROUND_TRIP + "<think></think>", RESULTS, "thinking"),
        (ROUND_TRIP, TOOLS, "results of tools"),
        (ROUND_TRIP, RESULTS, None),
        ("{% if tools %}", TOOLS, None),
        ("<think></think>", THINKING, None),
        ("{{ messages }}", PLAIN, None),
        ("", PLAIN, None),
        ("{% if tools %}", "{{ .Prompt }}{{ .Suffix }}", None),
    ],
)
def test_the_template_with_more_capabilities_wins(chat: str, template: str, lost: str | None) -> None:
    expected = [f"{IGNORED.format(lost)}, and this one does not"] if lost else []
    assert messages(chat, template) == expected


def test_nothing_is_ignored_before_0_30_or_next_to_a_parser_or_for_names() -> None:
    assert messages("{% if tools %}", PLAIN, ollama="0.29.9") == []
    assert messages("{% if tools %}", PLAIN, "PARSER qwen3-coder") == []
    assert messages("{% if tools %}", PLAIN, base="llama3.2:3b") == []


def test_an_ignored_template_has_no_other_finding() -> None:
    text = '# For tests.\nFROM ./weights.gguf\nTEMPLATE "\n{{ .Prompt }}<|im_end|>"\n'
    context = Context(
        modelfile=Modelfile.parse(Source(text=text)),
        exists=lambda _: True,
        headers=lambda path: {path: header("{{ tools }}")},
    )
    hint = "delete TEMPLATE, or let it print tools too"
    assert [(one.name, one.hint) for one in lint(context)] == [("template-ignored", hint)]


def test_the_chat_template_is_read_from_the_file(tmp_path: Path) -> None:
    write_tiny_gguf(tmp_path / "m.gguf", chat_template="{% if tools %}" + " " * 5_000)
    (tmp_path / "Modelfile").write_text(f"# For tests.\nFROM ./m.gguf\nTEMPLATE {PLAIN}\n", encoding="utf-8")
    assert " template-ignored: " in mf("lint", "Modelfile", cwd=tmp_path).out
    warning = (
        "warning: Ollama {} ignores this TEMPLATE and sends another prompt: the chat template inside the weights"
        " supports tools, and this one does not\n"
    )
    for ollama, shown in (("0.30.0", warning.format("0.30.0")), ("0.29.0", "")):
        (tmp_path / "mf.toml").write_text(f'ollama = "{ollama}"\n')
        ran = mf("show", "--prompt", "Hi", "Modelfile", cwd=tmp_path)
        assert (ran.code, ran.out, ran.err) == (0, " Hi", shown)
    (tmp_path / "mf.toml").unlink()
    (tmp_path / "m.gguf").write_bytes(b"junk")
    assert " template-ignored: " not in mf("lint", "Modelfile", cwd=tmp_path).out
