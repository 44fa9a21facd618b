"""All instructions that Modelfiles of any version of Ollama accept or accepted."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelfile.catalog.versions import Version
from modelfile.immutable import record


@record(kw_only=True)
class InstructionSpec:
    """An instruction that some version of Ollama accepts in Modelfiles."""

    word: str
    summary: str
    """Its effect, in one sentence."""
    syntax: str
    """Its arguments."""
    example: str
    """Arguments as written in a Modelfile."""
    since: Version
    """The first release that accepts it."""
    until: Version | None = None
    """The first release that no longer accepts it."""
    twice: str = "the last one wins"
    """The effect of several."""
    source: str


INSTRUCTIONS: Final[Mapping[str, InstructionSpec]] = MappingProxyType(
    {
        instruction.word: instruction
        for instruction in (
            InstructionSpec(
                word="FROM",
                summary="The base model: a name, a file of weights or a folder of weights.",
                syntax="<name[:tag]> | <file> | <folder>",
                example="llama3.2:3b",
                since=Version(0, 0, 6),
                twice="files add up; the last name wins; a name wins over files",
                source="v0.0.6 parser/parser.go; v0.32.15 server/create.go",
            ),
            InstructionSpec(
                word="PARAMETER",
                summary="Sets the default of a parameter; a request can override it.",
                syntax="<name> <value>",
                example="temperature 0.7",
                since=Version(0, 0, 6),
                twice="the last one of a name wins; several `PARAMETER stop` add up",
                source="v0.0.6 parser/parser.go",
            ),
            InstructionSpec(
                word="TEMPLATE",
                summary="The Go template that renders the conversation as a prompt.",
                syntax="<text>",
                example="{{ .Prompt }}",
                since=Version(0, 0, 9),
                source="v0.0.9 parser/parser.go",
            ),
            InstructionSpec(
                word="SYSTEM",
                summary="The system message; a request can override it.",
                syntax="<text>",
                example='"""You answer questions on billing."""',
                since=Version(0, 0, 9),
                source="v0.0.9 parser/parser.go",
            ),
            InstructionSpec(
                word="ADAPTER",
                summary="A LoRA adapter that is applied to the weights: a file or a folder.",
                syntax="<file> | <folder>",
                example="./adapter.gguf",
                since=Version(0, 0, 15),
                until=Version(0, 34, 1),
                source="v0.0.15 parser/parser.go; until by ollama/ollama#14969 (issue tracker, not read in source)",
            ),
            InstructionSpec(
                word="LICENSE",
                summary="The text of a license under which the model is distributed.",
                syntax="<text>",
                example="Apache License 2.0",
                since=Version(0, 0, 8),
                twice="they add up, together with those of the base",
                source="v0.0.8 parser/parser.go; v0.0.13 server/images.go",
            ),
            InstructionSpec(
                word="MESSAGE",
                summary="A message at the start of every conversation.",
                syntax="system|user|assistant <text>",
                example="user When is my bill due?",
                since=Version(0, 1, 21),
                twice="they add up",
                source="v0.1.21 parser/parser.go",
            ),
            InstructionSpec(
                word="RENDERER",
                summary="The built-in renderer of Ollama that is used instead of TEMPLATE.",
                syntax="<name>",
                example="qwen3-coder",
                since=Version(0, 12, 0),
                source="v0.12.0 parser/parser.go",
            ),
            InstructionSpec(
                word="PARSER",
                summary="The built-in parser of Ollama that finds thinking and tool calls in the model's output.",
                syntax="<name>",
                example="qwen3-coder",
                since=Version(0, 12, 0),
                source="v0.12.0 parser/parser.go",
            ),
            InstructionSpec(
                word="REQUIRES",
                summary="The oldest version of Ollama that can run the model.",
                syntax="<version>",
                example="0.14.0",
                since=Version(0, 14, 0),
                source="v0.14.0 parser/parser.go",
            ),
            InstructionSpec(
                word="DRAFT",
                summary="A small draft model for speculative decoding: a file or a folder.",
                syntax="<file> | <folder>",
                example="./draft.gguf",
                since=Version(0, 30, 0),
                twice="they add up",
                source="v0.30.0 parser/parser.go (v0.23.1 to v0.24.0: with `ollama create --experimental` only)",
            ),
            InstructionSpec(
                word="PROMPT",
                summary="The prompt template; replaced by TEMPLATE.",
                syntax="<text>",
                example="{{ .Prompt }}",
                since=Version(0, 0, 6),
                until=Version(0, 1, 10),
                source="v0.0.6 parser/parser.go; v0.1.10 server/images.go (v0.0.9 did not have it)",
            ),
            InstructionSpec(
                word="EMBED",
                summary="A file whose lines are embedded; the template can insert the lines closest to the prompt.",
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
