"""The fake Ollama server answers as real ones did, and is strict."""

import hashlib
import json
from typing import Any

import httpx
import pytest
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import REWRITTEN, published
from tests.fakes.values import Published, as_any, go_json, go_quote, go_syntax, go_v
from tests.support.paths import DATA
from tests.support.raw import DIGEST, SUCCESS, WEIGHTS, give_base, lines, post, upload

TRACES = DATA / "traces"
VERSIONS = ["0.9.3", "0.24.0", "0.33.0-rc2"]
TRACED = {
    DIGEST.removeprefix("sha256:"): "259a4beafa7d68b74c3fd5986b6515d6710bd7775263a109d09be30575375111",
    hashlib.sha256(WEIGHTS + REWRITTEN).hexdigest(): "fee17bc4ca4fea5120bb398866ee4e2f7183c3f75ffdb0c10ca2b9379b24dafd",
}
CONTENTS = {"<60448 bytes>": WEIGHTS, "<3 bytes>": b"abc"}


@pytest.fixture
def base(fake: FakeOllama) -> FakeOllama:
    """Yield a server that has `base:v1`."""
    return give_base(fake)


def exchanges(version: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((TRACES / f"ollama-{version}.json").read_text())
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_answers_as_the_real_server_did(version: str) -> None:
    with FakeOllama(version.replace("rc2", "rc2-head"), allow={"nonsense"}) as fake:
        for number, exchange in enumerate(exchanges(version)):
            answer = _replayed(fake, exchange["request"])
            expected = exchange["response"] | {"lines": [*map(_normalized, exchange["response"]["lines"])]}
            assert answer == expected, f"exchange {number}: {exchange['note']}"


def _replayed(fake: FakeOllama, request: dict[str, Any]) -> dict[str, Any]:
    """Send a request of a trace, with the digests of our weights for those of the trace, and return the answer."""
    text = json.dumps(request)
    for ours, theirs in TRACED.items():
        text = text.replace(theirs, ours)
    request = json.loads(text)
    body = {"json": request["json"]} if request["json"] is not None else {"content": CONTENTS.get(request["content"])}
    response = httpx.request(request["method"], fake.url + request["path"], **body)
    text = response.text
    for ours, theirs in TRACED.items():
        text = text.replace(ours, theirs)
    answered = [_normalized(line) for line in text.split("\n") if line]
    return {"status": response.status_code, "content_type": response.headers.get("Content-Type"), "lines": answered}


def _normalized(line: str) -> str:
    """Take out of a line what differs between two servers: times, orders, what is in the weights, and digests of it."""
    answer = json.loads(line)
    for entry in (answer, *answer.get("models", [])):
        for key in ("modified_at", "digest", "model_info", "tensors"):
            entry.pop(key, None)
    if "models" in answer:
        answer["models"].sort(key=lambda model: model["name"])
    if "parameters" in answer:
        answer["parameters"] = sorted(answer["parameters"].split("\n"), key=lambda line: line.split()[0])
        instructions = answer["modelfile"].split("\n")
        parameters = [line for line in instructions if line.startswith("PARAMETER")]
        rest = [line for line in instructions if line not in parameters]
        answer["modelfile"] = [*rest, *sorted(parameters, key=lambda line: line.split()[1])]
    return json.dumps(answer)  # the order of keys counts


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_the_real_ones_to_the_byte(version: str) -> None:
    """Compare the digests in /api/tags with those of the traces, with a blob under the digest of the traces."""
    trace = exchanges(version)
    uploaded, rewritten = TRACED.values()
    listed = {model["name"]: model["digest"] for model in json.loads(trace[18]["response"]["lines"][0])["models"]}
    with FakeOllama(version, allow={"nonsense"}) as fake:
        if version == "0.33.0-rc2":
            fake.blobs[f"sha256:{rewritten}"] = WEIGHTS + REWRITTEN
        else:
            fake.blobs[f"sha256:{uploaded}"] = WEIGHTS
            del listed["tiny:v1"]  # it depends on the path of a store, which is not in the traces
        for exchange in (trace[8], trace[9], trace[16], trace[17]):
            request = json.dumps(exchange["request"]["json"])
            if version == "0.33.0-rc2":
                request = request.replace(uploaded, rewritten)
            assert lines(fake, "/api/create", **json.loads(request))[-1] == SUCCESS
        made = {model["name"]: model["digest"] for model in httpx.get(f"{fake.url}/api/tags").json()["models"]}
    assert listed.items() <= made.items()


def test_digests_depend_on_the_path_of_the_store() -> None:
    digests = set()
    for path in ("/a/models", "/b/models"):
        with FakeOllama(models_path=path) as fake:
            upload(fake)
            lines(fake, "/api/create", model="x", files={"x.gguf": DIGEST})
            digests.add(fake.models["x:latest"].digest)
    assert len(digests) == 2


def test_a_chunked_upload_is_taken(fake: FakeOllama) -> None:
    assert upload(fake, iter([WEIGHTS[:100], WEIGHTS[100:]])).status_code == 201
    assert fake.blobs == {DIGEST: WEIGHTS}


def test_create_from_a_model_merges(base: FakeOllama) -> None:
    request = {
        "parameters": {"stop": ["c"], "top_k": 4},
        "license": ["Apache"],
        "messages": [{"role": "USER", "content": "x"}],
    }
    lines(base, "/api/create", model="bot", **{"from": "base:v1"}, **request)
    shown = post(base, "/api/show", model="bot").json()
    assert sorted(shown["parameters"].split("\n")) == [
        'stop                           "c"',
        "temperature                    0.5",
        "top_k                          4",
    ]
    assert shown["license"] == "MIT\nApache"
    assert shown["messages"] == [{"role": "user", "content": "x"}]
    assert (shown["system"], shown["template"]) == ("old", "{{ .Prompt }}")


def test_the_order_of_parameters_changes_between_calls(base: FakeOllama) -> None:
    orders = {post(base, "/api/show", model="base:v1").json()["parameters"] for _ in range(2)}
    assert len(orders) == 2


def test_overwriting_and_deleting_remove_what_nothing_else_uses(base: FakeOllama) -> None:
    before = set(base.blobs)
    lines(base, "/api/create", model="bot", system="one", **{"from": "base:v1"})
    lines(base, "/api/create", model="bot", system="two", **{"from": "base:v1"})
    assert b"one" not in base.blobs.values()
    assert b"two" in base.blobs.values()
    assert httpx.request("DELETE", f"{base.url}/api/delete", json={"model": "BOT"}).status_code == 200
    assert set(base.blobs) == before


def test_names_are_compared_without_case_but_for_a_base(base: FakeOllama) -> None:
    assert post(base, "/api/show", model="BASE:V1").status_code == 200
    assert post(base, "/api/copy", source="Base:v1", destination="BASE:v2").status_code == 200
    assert set(base.models) == {"base:v1", "base:v2"}
    answered = lines(base, "/api/create", model="bot", stream=False, **{"from": "Base:v1"})
    assert answered == [{"error": "pull model manifest: file does not exist"}]


def test_a_missing_base_is_pulled_and_both_succeed(fake: FakeOllama) -> None:
    fake.registry["base:v1"] = published(WEIGHTS)
    statuses = [line["status"] for line in lines(fake, "/api/create", model="bot", **{"from": "base:v1"})]
    assert statuses.count("success") == 2
    assert set(fake.models) == {"base:v1", "bot:latest"}


def test_an_unknown_base_0_9_3_goes_on_after_the_error(fake: FakeOllama) -> None:
    """Measured on 0.9.3: a model without weights is written, listed, and not found."""
    answered = lines(fake, "/api/create", model="bot", **{"from": "none"})
    assert answered == [
        {"status": "pulling manifest"},
        {"error": "pull model manifest: file does not exist"},
        {"status": "writing manifest"},
        SUCCESS,
    ]
    assert [model["name"] for model in httpx.get(f"{fake.url}/api/tags").json()["models"]] == ["bot:latest"]
    assert post(fake, "/api/show", model="bot").status_code == 404
    refused = post(fake, "/api/create", model="other", stream=False, **{"from": "none"})
    assert (refused.status_code, len(fake.models)) == (500, 1)


def test_an_unknown_base_later_versions_stop_at_the_error() -> None:
    with FakeOllama("0.33.0") as fake:
        answered = lines(fake, "/api/create", model="bot", **{"from": "none"})
        assert answered[1:] == [{"error": "pull model manifest: file does not exist"}]
        assert not fake.models


def test_a_pull_tells_its_progress(fake: FakeOllama) -> None:
    fake.registry["base:v1"] = published(WEIGHTS, system="old")
    pulled = fake.registry["base:v1"].model
    sizes = {layer.digest: layer.size for layer in (*pulled.layers, pulled.config)}
    ends = [{"status": status} for status in ("verifying sha256 digest", "writing manifest", "success")]
    whole = [
        {"status": f"pulling {digest[7:19]}", "digest": digest, "total": size, "completed": size}
        for digest, size in sizes.items()
    ]
    first = lines(fake, "/api/pull", model="base:v1")
    assert [line for line in first if "total" not in line or "completed" in line][1:] == whole + ends
    assert lines(fake, "/api/pull", model="base:v1")[1:] == whole + ends
    fake.registry["base:v1"] = published(WEIGHTS, system="new")
    assert {"status": "removing unused layers"} in lines(fake, "/api/pull", model="base:v1")
    assert b"old" not in fake.blobs.values()


def test_a_pull_checks_digests(fake: FakeOllama) -> None:
    whole = published(WEIGHTS)
    fake.registry["base:v1"] = Published(whole.manifest, whole.blobs | {DIGEST: b"GGUF, but another"})
    answered = lines(fake, "/api/pull", model="base:v1")
    assert answered[-1]["error"].startswith("digest mismatch, file must be downloaded again: want sha256:")
    assert not fake.models
    assert DIGEST not in fake.blobs


def test_weights_are_rewritten_once_by_0_33() -> None:
    with FakeOllama("0.33.0") as fake:
        upload(fake)
        lines(fake, "/api/create", model="one", files={"x.gguf": DIGEST}, renderer="r", parser="p")
        rewritten = fake.models["one:latest"].of_kind("model")[0].digest
        lines(fake, "/api/create", model="two", files={"x.gguf": rewritten})
        lines(fake, "/api/create", model="three", **{"from": "one"})
        assert rewritten != DIGEST
        assert {model.of_kind("model")[0].digest for model in fake.models.values()} == {rewritten}
        assert "RENDERER r\nPARSER p\n" in post(fake, "/api/show", model="three").json()["modelfile"]


def test_adapters_and_projectors_are_shown(fake: FakeOllama) -> None:
    for content in (WEIGHTS, b"GGUF projector", b"GGUF lora"):
        upload(fake, content, f"sha256:{hashlib.sha256(content).hexdigest()}")
    weights, projector, adapter = fake.blobs
    lines(
        fake, "/api/create", model="bot", files={"a.gguf": weights, "b.gguf": projector}, adapters={"c.gguf": adapter}
    )
    shown = post(fake, "/api/show", model="bot").json()
    paths = [f"/var/lib/ollama/models/blobs/{digest.replace(':', '-')}" for digest in (weights, adapter, projector)]
    assert f"FROM {paths[0]}\nADAPTER {paths[1]}\nFROM {paths[2]}\n" in shown["modelfile"]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"files": {"a.gguf": "JUNK"}}, "supplied file was not in GGUF format"),
        ({"files": {"a.bin": "JUNK"}}, "unknown type"),
        ({"files": {}}, "unknown type"),
        ({"files": {"a.gguf": "GGUF"}, "adapters": {}}, "unknown type"),
        ({"files": {"a.gguf": "GGUF"}, "adapters": {"b.gguf": "sha256:zz"}}, "invalid digest format"),
        (
            {"files": {"a.gguf": "GGUF"}, "adapters": {"b.gguf": "GGUF", "c.gguf": "GGUF"}},
            "only one adapter is currently supported",
        ),
        ({"from": "bad name!"}, "invalid model name"),
        ({"files": {"a.gguf": "GGUF"}, "template": "a\n{{ .X"}, "template error: template: :2: unclosed action"),
    ],
)
def test_creates_are_refused_in_the_words_of_0_9_3(fake: FakeOllama, request_: dict[str, Any], error: str) -> None:
    junk = f"sha256:{hashlib.sha256(b'junk').hexdigest()}"
    upload(fake, b"junk", junk)
    upload(fake)
    text = json.dumps(request_).replace('"JUNK"', f'"{junk}"').replace('"GGUF"', f'"{DIGEST}"')
    assert lines(fake, "/api/create", model="bot", **json.loads(text))[-1] == {"error": error, "status": 400}
    assert not fake.models


@pytest.mark.parametrize(
    ("method", "path", "request_", "status", "error"),
    [
        ("POST", "/api/show", {"model": "bad name!"}, 500, "invalid model path"),
        ("POST", "/api/copy", {"source": "bad name!", "destination": "a"}, 400, 'source "bad name!" is invalid'),
        ("POST", "/api/copy", {"source": "a"}, 400, 'destination "" is invalid'),
        ("DELETE", "/api/delete", {"model": "bad name!"}, 400, 'name "bad name!" is invalid'),
        ("POST", "/api/pull", {"model": "a@sha256:1"}, 400, "invalid model name"),
    ],
)
def test_bad_names_are_refused_in_the_words_of_0_9_3(
    fake: FakeOllama, method: str, path: str, request_: dict[str, str], status: int, error: str
) -> None:
    answer = httpx.request(method, f"{fake.url}{path}", json=request_)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


@pytest.mark.parametrize(
    ("value", "plain", "syntax", "written"),
    [
        (1048576, "1.048576e+06", "1.048576e+06", "1048576"),
        (131072, "131072", "131072", "131072"),
        (123456789.5, "1.234567895e+08", "1.234567895e+08", "123456789.5"),
        (0.0001, "0.0001", "0.0001", "0.0001"),
        (0.00001234, "1.234e-05", "1.234e-05", "0.00001234"),
        (1e-7, "1e-07", "1e-07", "1e-7"),
        (1e20, "1e+20", "1e+20", "100000000000000000000"),
        (1e21, "1e+21", "1e+21", "1e+21"),
        (-0.0, "-0", "-0", "-0"),
        (None, "<nil>", "<nil>", "null"),
        (True, "true", "true", "true"),
        ('a"b<|x|>\u2028', 'a"b<|x|>\u2028', r'"a\"b<|x|>\u2028"', r'"a\"b\u003c|x|\u003e\u2028"'),
        ({"b": [1, "q"], "a": {}}, "map[a:map[] b:[1 q]]", None, '{"a":{},"b":[1,"q"]}'),
        ({"a": [1, "x"]}, "map[a:[1 x]]", 'map[string]interface {}{"a":[]interface {}{1, "x"}}', '{"a":[1,"x"]}'),
    ],
)
def test_values_are_written_as_go_writes_them(value: object, plain: str, syntax: str | None, written: str) -> None:
    """The forms measured on 0.9.3: in `modelfile`, in `parameters`, and in the params layer."""
    value = as_any(value)
    assert go_v(value) == plain
    assert syntax is None or go_syntax(value) == syntax
    assert go_json(value) == written


def test_characters_that_cannot_be_printed_are_escaped() -> None:
    assert go_quote("\x07\x00\x1b\u00a0\ue000\U000e0001é😀\u200d\x7f") == (
        r'"\a\x00\x1b\u00a0\ue000\U000e0001é😀\u200d\x7f"'
    )
