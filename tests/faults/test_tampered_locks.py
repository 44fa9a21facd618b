"""Bases with a manifest: the lock proves itself, and whatever is changed in it is rejected by name."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.paths import ROOT

from modelfile.errors import InputError
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.lock import Base, Lock, Pin
from modelfile.lockfile.reader import summarize, validate

TYPES = "application/vnd.ollama.image."


def digest_of(text: str) -> str:
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def described(media_type: str, text: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(text), "size": len(text.encode())}


CONFIG = '{"model_format":"gguf","file_type":"Q4_K_M"}'
PARAMS, MESSAGES = '{"stop":["\\u003c|eot_id|\\u003e"]}\n', '[{"role":"user","content":"Grüezi"}]\n'
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": described("application/vnd.docker.container.image.v1+json", CONFIG),
        "layers": [
            described(f"{TYPES}model", "weights"),
            described(f"{TYPES}params", PARAMS),
            described(f"{TYPES}messages", MESSAGES),
        ],
    },
    indent=3,  # as some registries write them
)
BASE = Base(
    written="llama3.2:3b",
    name="registry.ollama.ai/library/llama3.2:3b",
    digest=digest_of(MANIFEST),
    fingerprint=f"mf1:{'3' * 64}",
    source="https://registry.ollama.ai",
    resolved="2026-11-26T12:30:00Z",
    manifest=MANIFEST,
    config=CONFIG,
    params=PARAMS,
    messages=MESSAGES,
)
LOCK = Lock(modelfiles={"bot": Pin(text=digest_of("text"), base=BASE, fingerprint=f"mf1:{'4' * 64}")})


def problem_of(**changes: object) -> str:
    """Return what both readers say of a base with changes; None removes a part."""
    content = json.loads(LOCK.dumps())
    base = content["modelfiles"]["bot"]["base"] | changes
    content["modelfiles"]["bot"]["base"] = {name: value for name, value in base.items() if value is not None}
    said = []
    for read in (summarize, validate):
        with pytest.raises(InputError) as raised:
            read(content, "mf.lock")
        said.append(raised.value.message.removeprefix("`mf.lock` is damaged: "))
    assert said[0] == said[1]
    return said[0].replace("modelfiles.bot.base.", "")


def test_a_base_with_its_manifest_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "mf.lock").write_text(LOCK.dumps(), encoding="utf-8")
    file = LockFile(tmp_path / "mf.lock")
    assert file.lock == LOCK
    assert file.summaries["bot"].base == "llama3.2:3b"
    assert file.lock.dumps() == LOCK.dumps()


def test_the_lock_names_its_schema_which_accepts_it() -> None:
    schema = json.loads((ROOT / "docs" / "schema" / "mf.lock.json").read_text(encoding="utf-8"))
    content = json.loads(LOCK.dumps())
    assert content["$schema"] == schema["$id"]
    assert content["$schema"].endswith("/docs/schema/mf.lock.json")
    jsonschema.validate(content, schema)
    content["modelfiles"]["bot"]["base"]["resolved"] = "yesterday"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"manifest": MANIFEST + " "}, f"`manifest` does not have the digest {BASE.digest[:19]}…"),  # type: ignore[index]  # JSON
        ({"manifest": MANIFEST[:-1]}, "`manifest` is invalid: not JSON: "),
        ({"manifest": "{}"}, "`manifest` is invalid: "),
        ({"manifest": 1}, "`manifest` is not a text"),
        ({"manifest": None}, "`config` stands without a manifest that has it"),
        ({"manifest": None, "config": None}, "`params` stands without a manifest that has it"),
        (dict.fromkeys(("manifest", "config", "params", "messages")), "`manifest` is missing"),
        ({"digest": digest_of("")}, "`manifest` does not have the digest sha256:e3b0c44298fc…"),
        ({"digest": "sha256:0"}, "`digest` is not a digest: `sha256:` and 64 hexadecimal digits"),
        ({"digest": None}, "`digest` is missing"),
        ({"config": CONFIG + "\n"}, "`config` does not have a digest that the manifest names"),
        ({"config": None}, "`config` is missing"),
        ({"params": "{}"}, "`params` does not have a digest that the manifest names"),
        ({"params": MESSAGES}, "`params` does not have a digest that the manifest names"),
        ({"params": None}, "`params` is missing"),
        ({"messages": "[]"}, "`messages` does not have a digest that the manifest names"),
        ({"source": None}, "`source` is missing"),
        ({"source": "server"}, "`source` contradicts that it has a manifest"),
        ({"source": "ftp://x"}, "`source` is not the URL of a registry, or `server`"),
        ({"resolved": None}, "`resolved` is missing"),
        ({"resolved": "2026-11-26"}, "`resolved` is not a time such as 2026-11-26T12:30:00Z"),
        ({"modelfile": "base/Modelfile"}, "`modelfile` contradicts that it has a manifest"),
        ({"fingerprint": None}, "`fingerprint` is missing"),
        ({"name": "evil.example/library/llama3.2:3b"}, "`name` is not the full name of `llama3.2:3b`"),
        (
            {"written": "evil.example/team/bot:v1"},
            "`name` is not the full name of `evil.example/team/bot:v1`",
        ),
        ({"written": "a b"}, "`name` is not the full name of `a b`"),
    ],
)
def test_tampering_is_rejected_by_name(changes: dict[str, object], problem: str) -> None:
    assert problem_of(**changes).startswith(problem)


@given(
    st.sampled_from(["manifest", "config", "params", "messages", "digest"]),
    st.integers(min_value=0),
    st.sampled_from(["", "0", "1", " ", "\n", '"', "ü", "\ufeff"]),
    st.integers(min_value=0, max_value=2),
)
def test_each_single_change_of_a_text_or_digest_is_rejected(name: str, position: int, new: str, removed: int) -> None:
    text = str(getattr(BASE, name))
    position %= len(text) + 1
    changed = text[:position] + new + text[position + removed :]
    if changed == text:
        return
    said = problem_of(**{name: changed})
    assert said.startswith(("`manifest`", f"`{name}`")), said


def test_layers_that_the_manifest_does_not_have_are_rejected() -> None:
    manifest = json.dumps({**json.loads(MANIFEST), "layers": [described(f"{TYPES}model", "weights")]})
    own = {"manifest": manifest, "digest": digest_of(manifest)}
    assert problem_of(**own) == "`params` does not have a digest that the manifest names"
    assert problem_of(**own, params=None) == "`messages` does not have a digest that the manifest names"
