"""Manifests of registries: exact texts, and what is none."""

import hashlib
import json
from typing import Any

import pytest

from modelfile.errors import InputError
from modelfile.manifest import CONFIG_TYPE, LAYER_TYPE, MAX_MANIFEST, MEDIA_TYPE, Layer, Manifest, as_oci, as_stored

DIGEST = "sha256:" + "0123456789abcdef" * 4
CONFIG = {"mediaType": CONFIG_TYPE, "digest": DIGEST, "size": 5}
WEIGHTS = {"mediaType": f"{LAYER_TYPE}model", "digest": DIGEST, "size": 7, "from": "/srv/x"}


def text(**changes: Any) -> str:
    return json.dumps({"schemaVersion": 2, "mediaType": MEDIA_TYPE, "config": CONFIG, "layers": [WEIGHTS]} | changes)


def test_manifest_keeps_its_exact_text() -> None:
    written = f" {text(annotations={'a': 'b'})}\n"
    manifest = Manifest.parse(written, "x")
    assert manifest.text == written
    assert manifest.digest == f"sha256:{hashlib.sha256(written.encode()).hexdigest()}"
    assert manifest.size == 12
    assert manifest == Manifest.parse(written.encode(), "y")


def test_kinds_of_layers() -> None:
    manifest = Manifest.parse(text(), "x")
    assert [layer.kind for layer in (manifest.config, *manifest.layers)] == ["config", "model"]
    oci = "application/vnd.oci.image.config.v1+json"
    assert Layer(media_type=oci, digest=DIGEST, size=1).kind == "config"
    assert Layer(media_type="text/plain", digest=DIGEST, size=1).kind == "unknown"


@pytest.mark.parametrize("layers", [None, []])
def test_model_without_layers(layers: object) -> None:
    assert Manifest.parse(text(layers=layers), "x").layers == ()


def test_oci_manifest_may_omit_its_media_type() -> None:
    value = json.loads(text())
    del value["mediaType"]
    assert Manifest.parse(json.dumps(value), "x").config.size == 5


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("<html>", "not JSON: Expecting value at character 1"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('"\ud800"', "not UTF-8"),
        ("[" * 100_000, "it is nested too deeply"),
        ("[]", "it is not an object"),
        ('{"a": NaN}', "not JSON: NaN"),
        ('{"layers": 1, "b": 2, "layers": 3}', 'two values of "layers"'),
        (" " * (MAX_MANIFEST + 1), "it is larger than 4 MiB"),
        (text(manifests=[]), "it is a list of images for several platforms, not a model"),
        (
            text(mediaType="application/vnd.oci.image.index.v1+json"),
            "it is a list of images for several platforms, not a model",
        ),
        (text(mediaType="text/html"), 'unknown media type "text/html"'),
        (text(mediaType=["x"]), 'unknown media type ["x"]'),
        (text(schemaVersion=1), "unknown schemaVersion 1"),
        (text(config=None), "its config is not an object"),
        (text(layers={}), "its layers are not a list"),
        (text(layers=[WEIGHTS, 1]), "layer 2 is not an object"),
        (text(layers=[WEIGHTS | {"digest": DIGEST.upper()}]), f'layer 1 has an invalid digest: "{DIGEST.upper()}"'),
        (text(layers=[WEIGHTS | {"digest": f"{DIGEST}\n"}]), f'layer 1 has an invalid digest: "{DIGEST}\\n"'),
        (text(layers=[WEIGHTS | {"digest": "md5:" + "a" * 99}]), f'layer 1 has an invalid digest: "md5:{"a" * 75}…'),
        (text(config=CONFIG | {"size": -1}), "its config has an invalid size: -1"),
        (text(config=CONFIG | {"size": True}), "its config has an invalid size: true"),
        (text(config=CONFIG | {"size": 2**63}), f"its config has an invalid size: {2**63}"),
        (text(config=CONFIG | {"size": 1.5}), "its config has an invalid size: 1.5"),
        (text(config=CONFIG | {"mediaType": "a\x1b/b"}), 'its config has an invalid mediaType: "a\\u001b/b"'),
    ],
)
def test_invalid_manifests(data: bytes | str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        Manifest.parse(data, "the manifest of x:v1")
    assert caught.value.message == f"the manifest of x:v1 is invalid: {reason}"


def test_two_values_of_a_key_among_many() -> None:
    keys = ",".join(f'"{number}":1' for number in range(300_000))  # in quadratic time, it would not end
    with pytest.raises(InputError, match='two values of "7"'):
        Manifest.parse(f'{{{keys},"7":2}}', "x")


def test_manifest_of_oci_has_the_exact_one() -> None:
    manifest = Manifest.parse(f"{text()}\n", "x")
    oci = Manifest.parse(as_oci(manifest), "y")
    assert [layer.media_type for layer in oci.blobs] == [
        "application/vnd.oci.image.config.v1+json",
        f"{LAYER_TYPE}model",
    ]
    assert (as_stored(oci, "y"), as_stored(manifest, "x")) == (manifest, manifest)
    for other in (text(annotations=None), text(annotations={"a": "b"}), text(layers=None)):
        assert as_stored(Manifest.parse(other, "x"), "x").text == other


def test_container_image_is_no_model() -> None:
    layer = WEIGHTS | {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
    image = Manifest.parse(text(layers=[layer]), "x")
    with pytest.raises(InputError) as caught:
        as_stored(image, "the manifest of x")
    assert caught.value.message == (
        "the manifest of x is not that of a model, but of a container image:"
        " its layers are `application/vnd.oci.image.layer.v1.tar+gzip`"
    )
    assert as_stored(Manifest.parse(text(layers=[layer, WEIGHTS]), "x"), "x").layers


def test_annotation_of_another_model_is_rejected() -> None:
    value = json.loads(as_oci(Manifest.parse(text(), "x")))
    value["layers"][0]["size"] += 1
    with pytest.raises(InputError, match="x has other layers than its annotation"):
        as_stored(Manifest.parse(json.dumps(value), "x"), "x")
