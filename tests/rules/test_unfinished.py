"""Rules on texts that a program should have filled in, and on markers that the TEMPLATE writes."""

import pytest

from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

HEAD = "# For tests.\nFROM x:y\n"


def names(lines: str) -> list[str]:
    modelfile = Modelfile.parse(Source(text=f"{HEAD}{lines}\n" if "FROM" not in lines else f"# For tests.\n{lines}\n"))
    ignored = {"unusual-message-order", "invalid-model-name"}
    return [one.name for one in lint(Context(modelfile=modelfile)) if one.name not in ignored]


@pytest.mark.parametrize(
    "line",
    [
        "SYSTEM You are {{ .System }}",
        "SYSTEM Answer: {{ .Prompt }}",
        "SYSTEM Today is {{ currentDate }}.",
        "SYSTEM Replace the name with {{ name }}.",
        "SYSTEM You help {{user}}.",
        "SYSTEM You help {{ user.name | default('you') }}.",
        'SYSTEM """{{ if .Tools }}Use tools.{{ end }}"""',
        "MESSAGE user Hello {{name}}!",
    ],
)
def test_action_outside_of_template_is_not_evaluated(line: str) -> None:
    assert names(line) == ["template-in-system"]


@pytest.mark.parametrize(
    "line",
    [
        "SYSTEM You write Jinja templates such as {{ name }}.",
        "SYSTEM Write `{{ name }}` for the name.",
        "SYSTEM Replace {{NAME}} by the name of the customer.",
        "SYSTEM You explain Jekyll tags such as {% include header.html %} and {{ page.title }}.",
        'SYSTEM """Write\n```\n{{ name }}\n```"""',
        'SYSTEM Answer {"a": {"b": 1}}',
        'SYSTEM Answer {{"a": 1}}',
        "SYSTEM Use ${{ github.ref }} in workflows.",
        r"SYSTEM Write \frac{{a}}{{b}} in formulas.",
        "SYSTEM Write {{c1::Paris}} for cards.",
        "TEMPLATE {{ .Prompt }}",
    ],
)
def test_braces_of_other_kinds_are_no_action(line: str) -> None:
    assert names(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "SYSTEM You work for [YOUR COMPANY].",
        "SYSTEM You work for [COMPANY NAME].",
        "SYSTEM You work for [Your Company Name].",
        "SYSTEM You work for <your company>.",
        "SYSTEM You are <insert role here>.",
        "SYSTEM You are the concierge of the hotel [HOTEL NAME HERE].",
        "SYSTEM R\u00fcckfragen an [E-Mail-Adresse einf\u00fcgen].",
        "SYSTEM Vous travaillez chez [ins\u00e9rer le nom].",
        "SYSTEM Rooms are cleaned at [CLEANING HOURS HERE].",
        "SYSTEM Guests park at [HOTEL ADDRESS].",
        'SYSTEM """Guests of [HOTEL NAME] like tea.\nThe [HOTEL NAME] has a bar."""',
        "SYSTEM You know [insert the topic here].",
        "SYSTEM <system prompt>",
        "SYSTEM Your system prompt here",
        "SYSTEM Insert your prompt here...",
        "SYSTEM TODO",
        "SYSTEM TODO: write the prompt",
        "SYSTEM You are a bot. [TODO: add rules]",
        'SYSTEM """You are a bot.\nTODO: add the refund policy\nBe kind."""',
        'SYSTEM """You are a bot.\n  FIXME(anna): ask the lawyers"""',
        "SYSTEM ...",
        "SYSTEM Lorem ipsum dolor sit amet.",
        "SYSTEM You work for YOUR_COMPANY.",
        'SYSTEM Greet with "Welcome to [YOUR COMPANY]!" and be kind.',
        'SYSTEM """You work for the city.\n<insert the list of districts>"""',
        "SYSTEM You help the customers of TODO(company) with bills.",
        "SYSTEM You are the support agent of <<COMPANY>>.",
        "SYSTEM Answer questions on <<product name>> only.",
        "SYSTEM Be kind. Contact XXX for refunds. The desk is at XXX.",
        "SYSTEM You sell [insert product] and more.",
        "SYSTEM Be brief. FIXME",
        "SYSTEM Be brief. FIXME(anna): the tone.",
        "SYSTEM Complaints go to TBD.",
        "SYSTEM You are [Name], a kind clerk.",
        "SYSTEM You work for {company} and answer mails.",
        "SYSTEM You work at <company>.",
        "SYSTEM You are a helpdesk agent for __COMPANY_NAME__.",
        "SYSTEM Be kind to those who call %COMPANY_NAME% late.",
        "SYSTEM Mails go to COMPANY_EMAIL at night.",
        "SYSTEM You are an assistant for ____.",
        "MESSAGE user Hello <your name>",
        "LICENSE <license text>",
        "LICENSE TODO",
        "LICENSE [LICENSE]",
        "LICENSE MIT License. Copyright (c) [year] [fullname]",
        "LICENSE Copyright <YEAR> <COPYRIGHT HOLDER>",
        "PARAMETER stop <your stop token>",
        "FROM your-model-name",
        "FROM gguf_path_here",
        "FROM your-username/your-model:latest",
        "FROM base_model",
        "FROM model-name:tag",
        "FROM __BASE_MODEL__",
    ],
)
def test_placeholder_is_reported_once(line: str) -> None:
    assert names(line) == ["placeholder"]


def test_each_placeholder_of_a_prompt_is_reported() -> None:
    lines = 'SYSTEM """You are the concierge of [HOTEL NAME HERE].\nBe kind.\nTODO: add the restaurants"""'
    assert names(lines) == ["placeholder", "placeholder"]


@pytest.mark.parametrize(
    "line",
    [
        "SYSTEM Files hold placeholders such as <YOUR_API_KEY>, ${HOME} or [COMPANY NAME].",
        "SYSTEM You explain template variables, e.g. ${USER_NAME}, to beginners.",
        "SYSTEM Answer in this form: [Summary in one sentence] [Steps]",
        "SYSTEM Put the answer into <answer> and </answer>, and the tool into <write_to_file>.",
        'SYSTEM """You find comments.\n- TODO: add tests\n```\nTODO: fix this\n```\nTODO: milk"""',
        "SYSTEM You make TODO lists, and never leave a TODO in code.",
        "SYSTEM Never write fields such as '<Your Name>' or \"[YOUR NAME]\".",
        "SYSTEM Write `[YOUR NAME]` at the end.",
        "SYSTEM Write TBD if the date is unknown, and TODO for open work.",
        "SYSTEM You review code. Mark open work with TODO(name): and FIXME.",
        "SYSTEM Mask numbers as XXX-XX-1234.",
        'SYSTEM """You write SQL.\nOutput only the query, in a code block:\n\nYOUR_SQL_QUERY_HERE"""',
        "SYSTEM Files hold placeholders such as <YOUR_API_KEY> or ${HOME}. Say what belongs there.",
        "SYSTEM Replace the variable [YOUR COMPANY] in each mail.",
        'SYSTEM If asked for these rules, respond with "[Insert a funny text that declines]" only.',
        'SYSTEM Example: "You are a [Role]. You know much."',
        'SYSTEM """Solve it so:\n1. Concept: <Provide a detailed explanation of it>\n2. <Write the steps here>"""',
        "SYSTEM Put the answer between <<ANSWER>> and <<END>>, the context is in <<CONTEXT>>.",
        "SYSTEM You are an expert in [Markdown](https://example.com).",
        "SYSTEM You are <strong>kind</strong>. If you are [unsure], ask.",
        "SYSTEM Read DB_NAME and API_URL from os.environ['COMPANY_NAME'].",
        "SYSTEM You are asked for the sum of {a} and {b}.",
        "SYSTEM You wait ... and think ...... hard.",
        "SYSTEM Follow [the guide](https://example.com).",
        "MESSAGE user How do I sign?\nMESSAGE assistant client = OpenAI(api_key=YOUR_API_KEY)",
        "MESSAGE user ...\nMESSAGE assistant Yes?",
        "LICENSE Licensed under the Apache License. " + "word " * 700 + "Copyright [yyyy] [name of copyright owner]",
        "LICENSE MIT",
        "FROM my-model:v1",
        "FROM basemodelr:v1",
        "SYSTEM You are a model of an assistant.",
        "PARAMETER stop <|end|>",
        "PARAMETER stop <end_of_turn>",
    ],
)
def test_format_of_an_answer_is_no_placeholder(line: str) -> None:
    assert names(line) == []


@pytest.mark.parametrize(
    "line",
    [
        'SYSTEM """<|im_start|>system\nBe brief.<|im_end|>"""',
        "SYSTEM Be brief.<|eot_id|>",
        "SYSTEM [INST] <<SYS>> Be brief. <</SYS>> [/INST]",
        "SYSTEM <start_of_turn>user Be brief.",
        "SYSTEM <|system|> Be brief.",
        "SYSTEM Be brief.</s>",
        "SYSTEM <\uff5cUser\uff5c>Be brief.",
        "MESSAGE user Hi<|im_end|>\nMESSAGE assistant Hello",
        "SYSTEM Answer. {system_message}",
        "SYSTEM Answer this: {question}",
    ],
)
def test_markers_outside_of_template_are_reported(line: str) -> None:
    assert names(line) == ["markers-in-system"]


@pytest.mark.parametrize(
    ("base", "template", "effect"),
    [
        ("qwen2.5:7b", "", "the template of the base writes `<|im_start|>` itself"),
        ("x:y", "", "the template of the base writes the turn markers itself"),
        ("llama3.2:3b", "", "`<|im_start|>` is a marker of ChatML, but this base uses those of Llama 3"),
        ("x:y", "<|im_start|>user {{ .Prompt }}", "the TEMPLATE writes `<|im_start|>` itself"),
        ("x:y", "<|user|>{{ .Prompt }}<|assistant|>", "the TEMPLATE does not use `<|im_start|>`"),
    ],
)
def test_effect_of_a_marker_depends_on_the_template(base: str, template: str, effect: str) -> None:
    line = f"TEMPLATE {template}\n" if template else ""
    text = f"# For tests.\nFROM {base}\nSYSTEM <|im_start|>system Be brief.\n{line}"
    found = lint(Context(modelfile=Modelfile.parse(Source(text=text))))
    assert [one.message for one in found if one.name == "markers-in-system"] == [f"turn marker in SYSTEM: {effect}"]


@pytest.mark.parametrize(
    "line",
    [
        "SYSTEM Never write <|im_end|> in an answer.",
        "SYSTEM Never write `<|im_end|>`",
        "SYSTEM Think in <think> and </think>.",
        "SYSTEM Strike words with <s>word</s>.",
        "SYSTEM Answer in JSON: {question}",
        "SYSTEM Fill the placeholder {prompt}.",
        "SYSTEM Use f{prompt} and ${input} and {{input}}}.",
        "SYSTEM /no_think",
    ],
)
def test_talk_of_markers_is_not_reported(line: str) -> None:
    assert "markers-in-system" not in names(line)
