"""Modelfiles of stored models, which build the same models."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from modelfile.differ.models import compare_models
from modelfile.formatter import format_modelfile
from modelfile.importer import export
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message, resolve
from modelfile.source import Source
from modelfile.stores.protocol import StoredModel
from modelfile.syntax.modelfile import Modelfile

NAME = ModelName.parse("bot:v1")
DIGEST = f"sha256:{'0' * 64}"
TEXTS = (
    st.sampled_from(["", "plain", "two\nlines", '"', '"""', 'a"""\nb', "\u200b", " padded ", "# no comment", "1", "é"])
    | st.text()
)
MODELS = st.builds(
    Model,
    weights=st.just((DIGEST,)),
    template=TEXTS.filter(bool),
    system=TEXTS,
    license=TEXTS,
    parameters=st.dictionaries(
        st.sampled_from(["num_ctx", "temperature", "stop", "use_mmap", "mirostat", "bogus", "no name", "two\nlines"]),
        st.floats(allow_nan=False, allow_infinity=False)
        | st.integers(-9, 9)
        | st.booleans()
        | st.lists(TEXTS, min_size=1).map(tuple),
    ),
    messages=st.lists(
        st.builds(Message, st.sampled_from(["user", "assistant", "tool", "a b", "two\nlines"]), TEXTS)
    ).map(tuple),
    renderer=TEXTS,
    parser=TEXTS,
    requires=st.sampled_from(["", "0.14.0", "v1", "x"]),
)


def exported(model: Model) -> str:
    return export(StoredModel(name=NAME, digest=DIGEST, model=model))


@given(MODELS)
def test_modelfile_builds_the_same_model(model: Model) -> None:
    modelfile = Modelfile.parse(Source(text=exported(model)))
    assert not modelfile.diagnostics
    assert not compare_models(model, model.with_recipe(resolve(modelfile, Path()), {}))


@given(MODELS)
def test_every_part_is_written_or_explained(model: Model) -> None:
    empty = Model(weights=model.weights, license=model.license)
    text = exported(model)
    explained = {line.split()[1] for line in text.splitlines() if "is inherited, as" in line}
    made = empty.with_recipe(resolve(Modelfile.parse(Source(text=text)), Path()), {})
    missing = {change.aspect.upper().removesuffix("S") for change in compare_models(made, model)}
    assert missing <= {*explained, *(["REQUIRE"] if "REQUIRES" in explained else [])}


def test_reason_stays_on_its_line() -> None:
    text = exported(Model(weights=(DIGEST,), parameters={"num_ctx": ("two\nlines",)}))
    (line,) = text.splitlines()[3:]
    assert line.endswith("no Modelfile can express it: parameter `num_ctx` must be a whole number, not `two lines`")


def test_text_of_a_modelfile() -> None:
    model = Model(
        weights=(DIGEST,),
        system='Say "hi"\nand no more.',
        license="MIT",
        parameters={"temperature": 0.2, "num_ctx": 4096.0, "stop": ("<a>", " b"), "mirostat": 1.0, "bogus": True},
        messages=(Message("user", "hi"), Message("assistant", "")),
        renderer="qwen3",
        parser="zero\u200bwidth",
    )
    text = exported(model)
    assert text == (
        f'''# Exported from bot:v1; weights, adapters and licenses are inherited from it. Its digest was
# {DIGEST}
FROM bot:v1
# PARAMETER bogus is inherited, as no Modelfile can express it: unknown parameter `bogus`
# PARAMETER mirostat is inherited, as no Modelfile can express it: Ollama drops it
PARAMETER num_ctx 4096
PARAMETER stop <a>
PARAMETER stop " b"
PARAMETER temperature 0.2
SYSTEM """Say "hi"
and no more."""
RENDERER qwen3
# PARSER is inherited, as no Modelfile can express it: cannot write U+200B in a Modelfile: Ollama drops it
MESSAGE user hi
MESSAGE assistant ""
'''
    )
    assert format_modelfile(Modelfile.parse(Source(text=text))) == text
