"""Every instruction that a Modelfile of any version of Ollama takes or took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from modelfile.catalog.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """An instruction of Modelfiles."""

    word: str
    summary: str
    """One sentence: what it does."""
    syntax: str
    """What follows the word."""
    example: str
    """The same, as a Modelfile has it."""
    since: Version
    """The first release that takes it."""
    until: Version | None = None
    """The first release that no longer takes it."""
    twice: str = "the last one wins"
    """What Ollama makes of several."""
    source: str


INSTRUCTIONS: Final[Mapping[str, Instruction]] = MappingProxyType(
    {
        instruction.word: instruction
        for instruction in (
            Instruction(
                word="FROM",
                summary="The model to start from: a name, a file of weights or a folder of them.",
                syntax="<name[:tag]> | <file> | <folder>",
                example="llama3.2:3b",
                since=Version(0, 0, 6),
                twice="files add up; of several names the last one wins; a name wins over files",
                source="v0.0.6 parser/parser.go; v0.32.15 server/create.go",
            ),
            Instruction(
                word="PARAMETER",
                summary="Sets a parameter with which the model runs unless a request says otherwise.",
                syntax="<name> <value>",
                example="temperature 0.7",
                since=Version(0, 0, 6),
                twice="of one name the last one wins; several `PARAMETER stop` add up",
                source="v0.0.6 parser/parser.go",
            ),
            Instruction(
                word="TEMPLATE",
                summary="The Go template that makes a prompt of the conversation.",
                syntax="<text>",
                example='"""{{ .System }} {{ .Prompt }}"""',
                since=Version(0, 0, 9),
                source="v0.0.9 parser/parser.go",
            ),
            Instruction(
                word="SYSTEM",
                summary="The system message, unless a request brings its own.",
                syntax="<text>",
                example='"""You answer questions on billing."""',
                since=Version(0, 0, 9),
                source="v0.0.9 parser/parser.go",
            ),
            Instruction(
                word="ADAPTER",
                summary="A LoRA adapter, laid over the weights: a file or a folder.",
                syntax="<file> | <folder>",
                example="./adapter.gguf",
                since=Version(0, 0, 15),
                until=Version(0, 34, 1),
                source="v0.0.15 parser/parser.go; until by ollama/ollama#14969 (issue tracker, not read in source)",
            ),
            Instruction(
                word="LICENSE",
                summary="The text of a license under which the model is passed on.",
                syntax="<text>",
                example="Apache License 2.0",
                since=Version(0, 0, 8),
                twice="they add up, and to those of the base",
                source="v0.0.8 parser/parser.go; v0.0.13 server/images.go",
            ),
            Instruction(
                word="MESSAGE",
                summary="A turn of a conversation that comes before every other.",
                syntax="system|user|assistant <text>",
                example="user When is my bill due?",
                since=Version(0, 1, 21),
                twice="they add up",
                source="v0.1.21 parser/parser.go",
            ),
            Instruction(
                word="RENDERER",
                summary="Names the code in Ollama that makes a prompt of the conversation, instead of TEMPLATE.",
                syntax="<name>",
                example="qwen3-coder",
                since=Version(0, 12, 0),
                source="v0.12.0 parser/parser.go",
            ),
            Instruction(
                word="PARSER",
                summary="Names the code in Ollama that finds thoughts and tool calls in what the model writes.",
                syntax="<name>",
                example="qwen3-coder",
                since=Version(0, 12, 0),
                source="v0.12.0 parser/parser.go",
            ),
            Instruction(
                word="REQUIRES",
                summary="The oldest version of Ollama that can run the model.",
                syntax="<version>",
                example="0.14.0",
                since=Version(0, 14, 0),
                source="v0.14.0 parser/parser.go",
            ),
            Instruction(
                word="DRAFT",
                summary="A small model that guesses ahead, for the model itself to check: a file or a folder.",
                syntax="<file> | <folder>",
                example="./draft.gguf",
                since=Version(0, 30, 0),
                twice="they add up",
                source="v0.30.0 parser/parser.go (v0.23.1 to v0.24.0: with `ollama create --experimental` only)",
            ),
            Instruction(
                word="PROMPT",
                summary="The template of the prompt, before there was TEMPLATE.",
                syntax="<text>",
                example="{{ .Prompt }}",
                since=Version(0, 0, 6),
                until=Version(0, 1, 10),
                source="v0.0.6 parser/parser.go; v0.1.10 server/images.go (v0.0.9 did not have it)",
            ),
            Instruction(
                word="EMBED",
                summary="A file whose lines are embedded, for the template to quote those nearest to the prompt.",
                syntax="<file>",
                example="./handbook.txt",
                since=Version(0, 0, 14),
                until=Version(0, 1, 4),
                twice="they add up",
                source="v0.0.14 and v0.1.4 parser/parser.go",
            ),
        )
    }
)
