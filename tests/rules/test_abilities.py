"""Demands of SYSTEM that the base, the context or a stop cannot meet."""

import pytest

from modelfile import lint

CODES = {"MF330", "MF507", "MF520", "MF315"}


def found(text: str) -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in lint(f"# For tests.\n{text}\n") if one.code in CODES]


@pytest.mark.parametrize(
    ("base", "system", "message"),
    [
        (
            "llama3.1:8b",
            "You are shown photos of roofs.",
            "`llama3.1` has no vision, but SYSTEM in line 3 speaks of images: the model does not see them",
        ),
        (
            "qwen3:8b",
            "Describe the image in one sentence.",
            "`qwen3` has no vision, but SYSTEM in line 3 speaks of images: the model does not see them",
        ),
        (
            "gemma2:9b",
            "You have these functions: book, cancel. Be kind.",
            "`gemma2` has no tools, but SYSTEM in line 3 speaks of tools: requests with tools are rejected",
        ),
        (
            "gemma2:9b",
            "Use the web_search tool before you answer.",
            "`gemma2` has no tools, but SYSTEM in line 3 speaks of tools: requests with tools are rejected",
        ),
        (
            "llama3.1:8b",
            "You generate images from what the user describes.",
            "`llama3.1` draws no pictures, but SYSTEM in line 3 asks for it: the model only writes text",
        ),
        (
            "llama3.1:8b",
            "You transcribe the audio files that users upload.",
            "`llama3.1` hears no audio, but SYSTEM in line 3 asks for it: the model only writes text",
        ),
    ],
)
def test_base_without_the_capability_is_reported(base: str, system: str, message: str) -> None:
    assert found(f"FROM {base}\nSYSTEM {system}") == [("MF520", message)]


@pytest.mark.parametrize(
    ("base", "system"),
    [
        ("gemma3:4b", "You are shown photos of roofs."),
        ("llama3.1:8b", "You have these functions: book, cancel."),
        ("llama3.1:8b", "Write prompts for image generation. Describe the image in detail."),
        ("llama3.1:8b", "If you are shown photos, say that you cannot see them."),
        ("llama3.1:8b", "You cannot describe images."),
        ("gemma2:9b", "You explain code. Call the functions by their names."),
        ("gemma2:9b", "Never call a function."),
        ("gemma2:9b", "Perform audits using vision tools."),
        ("gemma2:9b", 'Use the tool by writing {"name": "search"}.'),
        ("llama3.1:8b", "You generate images of disks with a tool."),
        ("llama3.1:8b", "You create prompts for images."),
        ("llama3.1:8b", "You cannot generate images."),
        ("llama3.1:8b", "Draw a picture of words."),
        ("llama3.1:8b", "You summarize the transcript of audio files."),
        ("./eyes.gguf", "You generate images."),
        ("anna/gemma2:9b", "You have these functions: book, cancel."),
        ("./llava-v1.6-7b.gguf\nFROM ./mmproj-model-f16.gguf", "You are shown photos of roofs."),
        ("./llava-v1.6-7b.gguf", "You answer questions on roofs."),
        ("./eyes.gguf", "You are shown photos of roofs."),
    ],
)
def test_base_with_the_capability_is_not_reported(base: str, system: str) -> None:
    assert found(f"FROM {base}\nSYSTEM {system}") == []


@pytest.mark.parametrize(
    ("number", "comment", "system", "reported"),
    [
        (2048, "Summarizes minutes of 40-60 pages.", "Be brief.", True),
        (1024, "For tests.", "Answer from the passages between the lines.", True),
        (2048, "For tests.", "You read long contracts and find risks.", True),
        (2048, "For tests.", "You summarize meetings.", True),
        (8192, "Summarizes minutes of 40-60 pages.", "Be brief.", False),
        (2048, "For tests.", "Never write long reports.", False),
        (2048, "For tests.", "You answer questions on billing.", False),
        (2048, "For tests.", "Contracts have up to 80 pages.", True),
        (2048, "For tests.", "You are asked about a 300-page novel.", True),
        (2048, "For tests.", "You write a summary of the entire transcript.", True),
        (2048, "For tests.", "You write a full article with a title.", False),
        (2048, "For tests.", "Your final answer must be a full analysis report.", False),
        (2048, "For tests.", "You are given a snippet of code.", False),
        (2048, "For tests.", "Select at most 10 pages of results.", False),
        (2048, "For tests.", "You design 1-page documents.", False),
    ],
)
def test_context_that_is_too_short_is_reported(number: int, comment: str, system: str, *, reported: bool) -> None:
    text = f"# {comment}\nFROM llama3.2:3b\nPARAMETER num_ctx {number}\nSYSTEM {system}"
    assert [code for code, _ in found(text)] == ["MF330"] * reported


@pytest.mark.parametrize("base", ["./llava-v1.6-mistral-7b.Q4_K_M.gguf", "C:\\x\\Qwen2.5-VL-7B-Instruct-Q4_K_M.gguf"])
def test_vision_model_without_its_projector_is_reported(base: str) -> None:
    message = (
        f"no projector (mmproj) beside `{base}`, but SYSTEM in line 3 speaks of images: the model does not see them"
    )
    assert found(f"FROM {base}\nSYSTEM You look at photos of machine parts.") == [("MF520", message)]


@pytest.mark.parametrize(
    ("comment", "number"),
    [
        ("The retriever sends 12 chunks of about 800 tokens.", 9600),
        ("Gets up to five retrieved documents with 2k tokens each.", 10000),
        ("We send 20 passages of 1,000 tokens.", 20000),
        ("Gets 4 chunks of 800 tokens.", 0),
        ("Gets 12 chunks, each 800 tokens of summary.", 0),
    ],
)
def test_inputs_are_counted_in_tokens(comment: str, number: int) -> None:
    message = f"`num_ctx 8192` is too small: line 2 speaks of {number} tokens of input"
    reported = [("MF330", message)] if number else []
    assert found(f"# {comment}\nFROM mistral:7b\nPARAMETER num_ctx 8192") == reported


def test_short_context_of_a_base_that_has_no_more_is_not_reported() -> None:
    assert found("FROM tinyllama\nPARAMETER num_ctx 2048\nSYSTEM You summarize meetings.") == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            'PARAMETER stop Answer:\nSYSTEM """Write each item so:\n\nQuestion: one\nAnswer: two"""',
            "this stop cuts each answer at `Answer:`, but SYSTEM asks for that label in line 7",
        ),
        (
            'PARAMETER stop SOURCES\nSYSTEM ALWAYS return a "SOURCES" part in your answer.',
            "this stop cuts each answer at `SOURCES`, but SYSTEM asks for that part in line 4",
        ),
        (
            "PARAMETER stop 1.\nSYSTEM Offer three numbered actions.",
            "the stop `1.` ends each answer at its first numbered line, and at many numbers",
        ),
        (
            "PARAMETER temperature 0\nSYSTEM Each time you get a word, the poem must be entirely different.",
            "`temperature 0`, but SYSTEM in line 4 asks for creative answers",
        ),
        (
            "PARAMETER num_predict 64\nSYSTEM Every tale runs to 800 to 1200 words.",
            "`num_predict 64` cuts answers off, but SYSTEM in line 4 asks for at least 800 words",
        ),
        (
            "SYSTEM You speak JSON only.\nMESSAGE user Hi\nMESSAGE assistant Hello!",
            "this answer is not JSON, but SYSTEM in line 3 asks for JSON only",
        ),
        (
            "SYSTEM Antwoord altijd in het Nederlands. Be kind. Always answer in English, they do not know Dutch.",
            "SYSTEM asks for all answers in English, but also for all in Dutch",
        ),
    ],
)
def test_contradiction_is_reported(lines: str, message: str) -> None:
    assert [words for _, words in found(f"FROM llama3.2:3b\n{lines}")] == [message]


@pytest.mark.parametrize(
    "lines",
    [
        'PARAMETER stop User:\nSYSTEM """Answer in this format:\nUser: one\nBot: two"""',
        'PARAMETER stop Question:\nSYSTEM """Know this.\nQuestion: one\nAnswer: two"""',
        "SYSTEM Always answer in German. Write code comments in English.",
        "SYSTEM Always answer in German. If asked in French, answer in French.",
        "SYSTEM Answer in German and then in English.",
        "SYSTEM Always answer in German, unless asked. Answer in French if the user writes French.",
        "SYSTEM Answer in Dutch. Speak in English.",
        "PARAMETER num_predict 2000\nSYSTEM Every tale runs to 800 to 1200 words.",
    ],
)
def test_demands_that_can_be_met_are_not_reported(lines: str) -> None:
    assert found(f"FROM llama3.2:3b\n{lines}") == []


@pytest.mark.parametrize(
    ("base", "adapter", "reported"),
    [
        ("llama3.1:8b", "./mistral-7b-legal-lora.gguf", True),
        ("./gemma-2-9b-it.gguf", "./qwen2.5_lora", True),
        ("llama3.1:8b", "./llama-3.1-legal-lora.gguf", False),
        ("deepseek-r1:7b", "./qwen-lora.gguf", False),
        ("mixtral:8x7b", "./mistral-lora.gguf", False),
        ("hermes:7b", "./mistral-lora.gguf", False),
        ("llama3.1:8b", "./llama-to-mistral-style-lora.gguf", False),
        ("llama3.1:8b", "./dolphin-lora.gguf", False),
        ("llama3.1:8b", "./mistral/lora.gguf", False),
        ("llama3.2:1b", "./llama3.2-3b-tone-lora.gguf", True),
        ("llama3.1:8b-instruct-q4_K_M", "./lora-Llama-3.1-70B", True),
        ("llama3.1:8b", "./llama-2-7b-lora.gguf", True),
        ("qwen3:8b", "./qwen2.5-7b-lora.gguf", True),
        ("qwen2.5:7b", "./qwen2-7b-lora.gguf", False),
        ("llama3.1:8b", "./llama-3-8b-lora.gguf", False),
        ("deepseek-coder:6.7b", "./coder-7b-lora.gguf", False),
        ("mixtral:8x7b", "./tone-7b-lora.gguf", False),
        ("llama3.1", "./llama-3.1-70b-lora.gguf", False),
        ("llama3.1:8b", "./lora-4bit.gguf", False),
    ],
)
def test_adapter_of_another_base_is_reported(base: str, adapter: str, *, reported: bool) -> None:
    codes = [one.code for one in lint(f"FROM {base}\nADAPTER {adapter}\n")]
    assert codes.count("MF605") == reported


@pytest.mark.parametrize(("tag", "reported"), [("7b", False), ("671b", True)])
def test_distilled_deepseek_has_no_tools_to_lose(tag: str, *, reported: bool) -> None:
    template = "{{ .System }}<\uff5cUser\uff5c>{{ .Prompt }}<\uff5cAssistant\uff5c>{{ .Thinking }}{{ .Response }}"
    names = {one.name for one in lint(f'# For tests.\nFROM deepseek-r1:{tag}\nTEMPLATE """{template}"""\n')}
    assert ("template-drops-capability" in names) == reported
