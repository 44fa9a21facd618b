"""Work grows with the size of a Modelfile, not with its square: counted in lines run, for each rule and command."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from tests.rules.test_pages import EXAMPLE, context_of, each_rule
from tests.support.cli import mf
from tests.support.operations import GROWTH, growth

from modelfile import InputError, NotFound, lint, parse, plan_removal, resolve, rollback
from modelfile.differ.messages import compare_messages
from modelfile.formatter import print_modelfile
from modelfile.library.removal import Removal
from modelfile.linter.rule import Rule
from modelfile.names import ModelName
from modelfile.recipe.recipe import Message
from modelfile.report.formats import FORMATS
from modelfile.report.text_diffs import show_text_diff
from modelfile.stores.backups import alias_of
from modelfile.stores.memory import MemoryStore

SIZE = 40

TEMPLATE = 'FROM x\nTEMPLATE """{}"""\n'
INPUTS: dict[str, Callable[[int], str]] = {
    "comments": lambda n: "# words of a comment\n" * n,
    "suppressions that are not closed": lambda n: "FROM x\n# " + "mf:ignore[" * n,
    "suppressions of the file, and findings": lambda n: (
        "".join(f"# mf: ignore-file[rule-{number}]\n" for number in range(n)) + "FROM x\n" + "PARAMETER nought 1\n" * n
    ),
    "names in one suppression": lambda n: f"# mf: ignore[{', '.join(f'rule-{number}' for number in range(n))}]\nFROM x",
    "suppressions of an instruction": lambda n: "# mf: ignore[MF3]\nPARAMETER nought 1\n" * n,
    "names in FROM": lambda n: "FROM x\n" * n,
    "files in FROM": lambda n: "FROM ./x.gguf\n" * n,
    "parameters": lambda n: "PARAMETER temperature 0.123456789\n" * n,
    "unknown parameters": lambda n: "".join(f"PARAMETER temperatur{number} 1\n" for number in range(n)),
    "digits": lambda n: f"FROM x\nPARAMETER temperature {'9' * n}x\nPARAMETER num_ctx {'9' * n}\nREQUIRES {'9' * n}\n",
    "stops": lambda n: "".join(f"PARAMETER stop <{number}>\n" for number in range(n)),
    "stops on one line": lambda n: "FROM x\nPARAMETER stop [" + '"a"  ' * n,
    "messages": lambda n: "MESSAGE user x\nMESSAGE assistant {}\n" * n,
    "messages of an unknown role": lambda n: "MESSAGE human x\n" * n,
    "JSON": lambda n: "FROM x\nSYSTEM Respond only in JSON.\n" + f"MESSAGE assistant {'[' * n}\n" * 2,
    "empty texts after parameters": lambda n: "PARAMETER seed 1\n" * n + "SYSTEM\t\n" * n + "FROM x\n",
    "unclosed quotes": lambda n: 'SYSTEM "x\n' * n,
    "triple quotes": lambda n: "FROM x\nSYSTEM " + '"""\n' * n,
    "swallowed instructions": lambda n: 'FROM x\nSYSTEM "a\nPARAMETER seed 1\n"\n' * n,
    "text after quotes": lambda n: 'FROM x\nSYSTEM "a" # b\nPARAMETER seed 1\n"\n' * n,
    "inline comments": lambda n: "FROM x # y\r" * n,
    "escapes": lambda n: "FROM x\nSYSTEM " + r"a \n B " * n,
    "escapes in a template": lambda n: TEMPLATE.format(r"{{ .Prompt }}\n\n{" * n),
    "lines that are no instruction": lambda n: "FROM x\n" + "123\n# y\n" * n,
    "lines of prose": lambda n: "FROM x\n" + "SYSTEM a\nYou answer all questions\n" * n,
    "incomplete instructions": lambda n: "PARAMETER x\n" * n,
    "a character that Ollama drops": lambda n: TEMPLATE.format("\u200d{{.A}}" * n),
    "characters that Ollama drops": lambda n: "FROM x\nSYSTEM x" + "".join(map(chr, range(0xE000, 0xE000 + n))),
    "fields": lambda n: TEMPLATE.format("".join(f"{{{{.Prompt{number}}}}}" for number in range(n))),
    "placeholders in braces": lambda n: TEMPLATE.format("{prompt}" * n),
    "turns of a template": lambda n: TEMPLATE.format(
        "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>{{ end }}<|im_start|>user\n{{ .Prompt }}" * n
    ),
    "turns in a range": lambda n: TEMPLATE.format(
        "{{ range .Messages }}{{ if eq .Role `user` }}<|im_strat|>user{{ .Content }}[\\INST]<|eot_id>{{ end }}{{ end }}"
        * n
    ),
    "tools of a template": lambda n: TEMPLATE.format("{{ range .Tools }}{{ . }}{{ .Function }}{{ end }}" * n),
    "nested branches": lambda n: TEMPLATE.format("{{if .Prompt}}" * n + "{{end}}" * n),
    "a chain of branches": lambda n: TEMPLATE.format("{{if .A}}" + "{{else if .A}}" * n + "{{end}}"),
    "parentheses": lambda n: TEMPLATE.format("{{" + "(" * n + ".A" + ")" * n + "}}"),
    "variables and branches": lambda n: TEMPLATE.format(
        "".join(f"{{{{$a{number} := 1}}}}{{{{if .A}}}}{{{{end}}}}" for number in range(n))
    ),
    "thinking": lambda n: TEMPLATE.format("{{range .Messages}}" + "x{{.Thinking}}" * n + "{{end}}"),
    "definitions": lambda n: TEMPLATE.format("".join(f'{{{{define "{number}"}}}}x{{{{end}}}}' for number in range(n))),
}
each_input = pytest.mark.parametrize("text_of", [pytest.param(text_of, id=name) for name, text_of in INPUTS.items()])


def bad(rule: Rule) -> str:
    """Return the example of a rule's page that the rule reports."""
    return str(dict(EXAMPLE.findall(rule.page.replace("␍", "\r")))["Bad"])


def check(rule: Rule, text: str) -> Callable[[], object]:
    """Return a function that runs a rule on a text that is parsed already."""
    context = context_of(text, rule)
    modelfile = context.modelfile
    assert modelfile.diagnostics is not None  # computed once, and counted with the inputs below
    subjects = rule.subjects(modelfile)
    return lambda: [finding for subject in subjects for finding in rule.check(subject, context)]


@each_rule
def test_rule_takes_linear_time_on_its_example(rule: Rule) -> None:
    assert growth(lambda n: check(rule, bad(rule) * n), SIZE) <= GROWTH


@each_input
def test_linting_takes_linear_time(text_of: Callable[[int], str]) -> None:
    assert growth(lambda n: partial(lint, text_of(n)), SIZE) <= GROWTH


@each_input
def test_printing_and_resolving_take_linear_time(text_of: Callable[[int], str], tmp_path: Path) -> None:
    def work(text: str) -> None:
        modelfile = parse(text)
        print_modelfile(modelfile)
        with suppress(InputError):
            resolve(modelfile, tmp_path)

    assert growth(lambda n: partial(work, text_of(n)), SIZE) <= GROWTH


@pytest.mark.parametrize(
    "command",
    [
        *(("lint", "--isolated", "--format", name) for name in FORMATS),
        ("lint", "--fix", "--unsafe-fixes"),
        ("lint", "--fix", "--diff"),
        ("lint", "--add-ignore"),
        ("fmt", "--check"),
        ("fmt", "--diff"),
        ("parse", "--json"),
        ("diff", "model.Modelfile"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "line",
    [
        "FROM x",
        "PARAMETER temperature 0.123456789",
        "MESSAGE human x",
        'SYSTEM "x',
        "TEMPLATE {prompt}",
        "# mf: ignore[x]",
    ],
)
def test_command_takes_linear_time(command: tuple[str, ...], line: str, tmp_path: Path) -> None:
    (tmp_path / "model.Modelfile").write_text("FROM x\n")

    def run(n: int) -> Callable[[], object]:
        (tmp_path / "Modelfile").write_text("from x\n" + f"{line}\n" * n)
        return lambda: mf(*command, "Modelfile", cwd=tmp_path)

    assert growth(run, SIZE // 4) <= GROWTH


PROMPTS: dict[str, Callable[[int], tuple[str, str]]] = {
    "other lines": lambda n: ("".join(f"a{at}\n" for at in range(n)), "".join(f"b{at}\n" for at in range(n))),
    "lines that change in turn": lambda n: ("a b c\nd\n" * n, "a x c\nd\n" * n),
    "lines without a unique one": lambda n: ("a\nb\n" * n, "b\na\nc\n" * n),
    "moved lines": lambda n: (
        "".join(f"{at}\n" for at in range(n)),
        "".join(f"{at * 7919 % n}\n" for at in range(n)),
    ),
    "words of one line": lambda n: ("a b c " * n, "a x c " * n),
    "other words": lambda n: (" ".join(map(str, range(n))), " ".join(map(str, range(n, 2 * n)))),
    "braces": lambda n: ("{{ .A }}{{" * n, "{{.A}}{{" * n),
}


@pytest.mark.parametrize("sides_of", PROMPTS.values(), ids=PROMPTS)
@pytest.mark.parametrize("is_template", [False, True])
def test_the_differences_of_texts_take_linear_time(
    sides_of: Callable[[int], tuple[str, str]], *, is_template: bool
) -> None:
    def prepare(n: int) -> Callable[[], object]:
        old, new = sides_of(n)
        return lambda: show_text_diff(old, new, is_template=is_template)

    assert growth(prepare, 2_500) <= GROWTH


@pytest.mark.parametrize("text", ["question {}", "question {} of many", "yes"])
def test_the_differences_of_messages_take_linear_time(text: str) -> None:
    def prepare(n: int) -> Callable[[], object]:
        old = [Message("user", text.format(at)) for at in range(n)]
        new = [Message("user", text.format(at) + "!" * (at % 3)) for at in range(n)]
        return lambda: [*compare_messages(old, new)]

    assert growth(prepare, 1_200) <= GROWTH


def _store(n: int) -> MemoryStore:
    """Return a store of n tags of a model, each with a backup, and as many of another without."""
    tags = [f"bot:t{number}" for number in range(n)]
    aliases = [str(alias_of(ModelName.parse(tag), f"sha256:{'0' * 64}")) for tag in tags]
    return MemoryStore.with_models(*tags, *aliases, *(f"bald:t{number}" for number in range(n)))


def _describe(removal: Removal) -> None:
    for model in removal.models:
        removal.sharing(model)


@pytest.mark.parametrize(
    "work",
    [
        lambda store, _: rollback("bald:v0", store),
        lambda store, _: rollback("bot:v0", store),
        lambda store, _: rollback("bot:v0", store, "abcdef"),
        lambda store, _: _describe(plan_removal(["*"], store, backups=True)),
        lambda store, n: _describe(plan_removal([f"bot:t{number}" for number in range(n)], store)),
    ],
    ids=("rollback", "rollback-to-others", "rollback-to", "rm-pattern", "rm-names"),
)
def test_work_grows_with_the_models_of_a_server(work: Callable[[MemoryStore, int], object]) -> None:
    def prepare(n: int) -> Callable[[], None]:
        store = _store(n)

        def run() -> None:
            with suppress(NotFound):
                work(store, n)

        return run

    assert growth(prepare, SIZE) <= GROWTH
