"""Models in one file: the same bytes everywhere, and nothing of an archive that is damaged or lies."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.folder import add_blob, add_model, digest_of, empty_store
from tests.support.oci import validate

from modelfile.errors import InputError, VerificationError
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.stores.disk.archive import ArchivedModel, ArchiveReader, archive_of
from modelfile.stores.disk.blobs import Blobs
from modelfile.stores.disk.inventory import take_inventory
from modelfile.stores.disk.layout import Layout
from modelfile.stores.disk.tar import END, Readable, TarReader, header, padding

WEIGHTS = b"GGUF" + bytes(3000)
NAMES = ["registry.ollama.ai/library/base:v1", "registry.ollama.ai/library/bot:v1"]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = empty_store(tmp_path / "store")
    add_model(layout, "bot:v1", model=WEIGHTS, system=b"Be brief.")
    add_model(layout, "base:v1", model=WEIGHTS)
    return layout


def models(layout: Layout) -> list[ArchivedModel]:
    return [ArchivedModel(name, manifest) for name, manifest in take_inventory(layout).models]


def archive(layout: Layout) -> bytes:
    return b"".join(archive_of(models(layout), Blobs(layout)))


Files = dict[str, bytes]


def unpacked(text: bytes) -> Files:
    reader = TarReader(io.BytesIO(text))
    return {entry.name: b"".join(reader.chunks(entry)) for entry in reader.entries()}


def packed(files: Files) -> bytes:
    return b"".join(header(name, len(text)) + text + padding(len(text)) for name, text in files.items()) + END


def blobs_of(source: Readable) -> dict[str, bytes]:
    """Return the blobs of an archive by digest, compared with it."""
    archive, found = ArchiveReader(source, "x"), dict[str, bytes]()
    for layer, pieces in archive.blobs():
        found[layer.digest] = b"".join(pieces)
        archive.check(layer, digest_of(found[layer.digest]))
    return found


def read(text: bytes) -> dict[str, bytes]:
    """Return the blobs of an archive that is read as a stream."""
    return blobs_of(io.BytesIO(text))


def read_file(text: bytes, folder: Path) -> dict[str, bytes]:
    path = folder / "x.tar"
    path.write_bytes(text)
    with path.open("rb", buffering=0) as file:
        return blobs_of(file)


def test_archive_has_the_models_and_each_blob_once(layout: Layout, tmp_path: Path) -> None:
    text = archive(layout)
    files = unpacked(text)
    blobs = {digest_of(content) for name, content in files.items() if name.startswith("blobs/")}
    assert blobs == {f"sha256:{name.partition('/sha256/')[2]}" for name in files if name.startswith("blobs/")}
    names = [*files]
    assert names[:2] == ["oci-layout", "index.json"]
    manifests = [entry["digest"] for entry in json.loads(files["index.json"])["manifests"]]
    assert [f"sha256:{name.rpartition('/')[2]}" for name in names[2:4]] == sorted(manifests)
    assert blobs == {*take_inventory(layout).blobs, *manifests}
    found = ArchiveReader(io.BytesIO(text), "x").models
    assert [model.name.full for model in found] == NAMES
    assert {model.manifest.text for model in found} == {model.manifest.text for model in models(layout)}
    assert read(text) == read_file(text, tmp_path)
    assert {*read(text).values()} == {path.read_bytes() for path in (layout.root / "blobs").iterdir()}


def test_archive_is_valid_by_the_schemas_of_oci(layout: Layout) -> None:
    add_model(layout, "other:v1", model=b"x", template=b"", params=b'{"stop":["<e>"]}\n')
    files = unpacked(archive(layout))
    kinds = {"oci-layout": "image-layout-schema.json", "index.json": "image-index-schema.json"}
    described = {f"blobs/sha256/{entry['digest'][7:]}" for entry in entries(json.loads(files["index.json"]))}
    for name, kind in (kinds | dict.fromkeys(described, "image-manifest-schema.json")).items():
        validate(json.loads(files[name]), kind)
    with pytest.raises(jsonschema.ValidationError):
        validate({"schemaVersion": 2, "manifests": [{"size": -1}]}, "image-index-schema.json")


def test_archive_is_the_same_from_another_store(layout: Layout, tmp_path: Path) -> None:
    other = empty_store(tmp_path / "other")
    add_model(other, "base:v1", model=WEIGHTS, age=9999)
    add_model(other, "bot:v1", model=WEIGHTS, system=b"Be brief.")
    assert archive(layout) == archive(other)


def test_at_most_1_mib_is_in_memory(layout: Layout) -> None:
    add_model(layout, "large:v1", model=bytes(5 << 20))
    assert max(map(len, archive_of(models(layout), Blobs(layout)))) == 1 << 20
    text = archive(layout)
    sizes = [len(piece) for _, content in ArchiveReader(io.BytesIO(text), "x").blobs() for piece in content]
    assert max(sizes) == 1 << 20


def test_name_that_oci_does_not_allow_is_found_by_its_other_annotation(layout: Layout) -> None:
    add_model(layout, "a__b:v1", model=WEIGHTS)
    text = archive(layout)
    index = json.loads(unpacked(text)["index.json"])
    names = [sorted(entry["annotations"]) for entry in index["manifests"]]
    both = ["io.containerd.image.name", "org.opencontainers.image.ref.name"]
    assert names == [["io.containerd.image.name"], both, both]
    assert str(ArchiveReader(io.BytesIO(text), "x").models[0].name) == "a__b:v1"


def test_damaged_store_is_noticed_before_the_first_byte_or_at_the_blob(layout: Layout) -> None:
    path = layout.blob(digest_of(WEIGHTS))
    path.write_bytes(WEIGHTS[:-1] + b"x")
    with pytest.raises(VerificationError, match="is damaged: its content has another digest"):
        archive(layout)
    path.write_bytes(WEIGHTS[:-1])
    with pytest.raises(InputError, match="has 3,003 bytes instead of 3,004"):
        next(archive_of(models(layout), Blobs(layout)))
    path.unlink()
    with pytest.raises(InputError, match="is missing"):
        next(archive_of(models(layout), Blobs(layout)))


def test_other_programs_may_put_the_index_last_in_a_file(layout: Layout, tmp_path: Path) -> None:
    files = unpacked(archive(layout))
    text = packed(dict(reversed(files.items())))
    assert read_file(text, tmp_path) == read(packed(files))
    with pytest.raises(InputError) as raised:
        read(text)
    assert raised.value.message == "cannot load `x`: its index and its manifests are not at its start"
    assert raised.value.hint == "write it to a file, then load the file"


def test_manifest_and_index_of_other_programs_are_read(layout: Layout) -> None:
    (first, *_) = models(layout)
    value = json.loads(first.manifest.text)
    value["mediaType"] = "application/vnd.oci.image.manifest.v1+json"
    manifest = Manifest.parse(json.dumps(value, indent=3), "it")
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": value["mediaType"],
                "digest": manifest.digest,
                "size": len(manifest.text),
                "annotations": {"org.opencontainers.image.ref.name": "hf.co/team/bot:Q4_K_M"},
                "platform": {"architecture": "amd64", "os": "linux"},
            }
        ],
    }
    files = unpacked(archive(layout))
    blobs = {digest_of(text): text for name, text in files.items() if name.startswith("blobs/")}
    names = [manifest.config.digest, *(layer.digest for layer in manifest.layers)]
    text = packed(
        {
            "oci-layout": files["oci-layout"],
            "index.json": json.dumps(index).encode(),
            f"blobs/sha256/{manifest.digest[7:]}": manifest.text.encode(),
            **{f"blobs/sha256/{digest[7:]}": blobs[digest] for digest in names},
        }
    )
    (model,) = ArchiveReader(io.BytesIO(text), "x").models
    assert (model.name, model.manifest) == (ModelName.parse("hf.co/team/bot:Q4_K_M"), manifest)
    assert {*read(text)} == {*names}


def changed_index(change: Callable[[Any], object]) -> Callable[[Files], Files]:
    def edit(files: Files) -> Files:
        index = json.loads(files["index.json"])
        change(index)
        return files | {"index.json": json.dumps(index).encode()}

    return edit


def weights_entry() -> str:
    return f"blobs/sha256/{digest_of(WEIGHTS)[7:]}"


def first_manifest(files: Files) -> str:
    return [*files][2]


def without(name: str) -> Callable[[Files], Files]:
    return lambda files: {key: text for key, text in files.items() if key != name}


def entries(index: Any) -> Any:
    return index["manifests"]


SHORT = digest_of(WEIGHTS)[:19] + "…"
EXTRA = "blobs/sha256/" + "0" * 64
WRONG: dict[str, tuple[Callable[[Files], Files], str]] = {
    "blob is missing": (without(weights_entry()), f"blob {SHORT} is missing"),
    "blob has another digest": (
        lambda files: files | {weights_entry(): WEIGHTS[:-1] + b"x"},
        f"blob {SHORT} has another digest",
    ),
    "blob is short": (
        lambda files: files | {weights_entry(): WEIGHTS[:-1]},
        f"`{weights_entry()}` has 3,003 bytes instead of 3,004",
    ),
    "blob is a bomb": (
        lambda files: files | {weights_entry(): bytes(1 << 20)},
        f"`{weights_entry()}` has 1,048,576 bytes instead of 3,004",
    ),
    "blob of no model": (lambda files: files | {EXTRA: b"x"}, f"`{EXTRA}` belongs to no model in it"),
    "file of no model": (lambda files: files | {"run.sh": b"x"}, "`run.sh` belongs to no model in it"),
    "layout is missing": (without("oci-layout"), "`oci-layout` is missing"),
    "layout of the future": (
        lambda files: files | {"oci-layout": b'{"imageLayoutVersion":"2.0.0"}'},
        "`oci-layout` is not that of an image layout of version 1",
    ),
    "layout is a list": (
        lambda files: files | {"oci-layout": b"[]"},
        "`oci-layout` is not that of an image layout of version 1",
    ),
    "index is no JSON": (lambda files: files | {"index.json": b"{"}, "`index.json` is no index of an image layout"),
    "index is a number": (lambda files: files | {"index.json": b"1"}, "`index.json` is no index of an image layout"),
    "index has a text": (
        changed_index(lambda index: index.update(manifests="x")),
        "`index.json` is no index of an image layout",
    ),
    "index is deep": (
        lambda files: files | {"index.json": b"[" * 100_000},
        "`index.json` is no index of an image layout",
    ),
    "index is large": (
        lambda files: files | {"index.json": b" " * ((12 << 20) + 1)},
        "`index.json` has more than 12 MiB",
    ),
    "no models": (changed_index(lambda index: entries(index).clear()), "there is no model in it"),
    "digest is none": (
        changed_index(lambda index: entries(index)[0].update(digest="sha256:../../x")),
        "`index.json` is no index of an image layout",
    ),
    "size is negative": (
        changed_index(lambda index: entries(index)[0].update(size=-1)),
        "`index.json` is no index of an image layout",
    ),
    "manifests are large": (
        changed_index(lambda index: entries(index)[0].update(size=1 << 40)),
        "its manifests are larger than 32 MiB",
    ),
    "name is missing": (
        changed_index(lambda index: entries(index)[0].pop("annotations")),
        "a model in it has no name: its index lacks the annotation org.opencontainers.image.ref.name",
    ),
    "name is none": (
        changed_index(lambda index: entries(index)[0]["annotations"].update({"io.containerd.image.name": "../x"})),
        "invalid model name `../x`",
    ),
    "two models of a name": (
        changed_index(
            lambda index: entries(index)[0]["annotations"].update({"io.containerd.image.name": NAMES[1].upper()})
        ),
        "it has two models",
    ),
    "manifest has another digest": (
        lambda files: files | {first_manifest(files): files[first_manifest(files)][:-1] + b" "},
        "has another digest",
    ),
    "manifest is short": (
        lambda files: files | {first_manifest(files): files[first_manifest(files)][:-1]},
        "bytes instead of",
    ),
}


def attempts(text: bytes, folder: Path) -> Iterator[Callable[[], object]]:
    yield lambda: read(text)
    yield lambda: read_file(text, folder)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_archive_is_rejected_as_a_stream_and_as_a_file(name: str, layout: Layout, tmp_path: Path) -> None:
    change, reason = WRONG[name]
    text = packed(change(unpacked(archive(layout))))
    for attempt in attempts(text, tmp_path):
        with pytest.raises(InputError) as raised:
            attempt()
        assert raised.value.message.startswith("cannot load `x`: ")
        assert reason in raised.value.message


def test_index_that_is_missing_is_noticed(layout: Layout, tmp_path: Path) -> None:
    text = packed(without("index.json")(unpacked(archive(layout))))
    with pytest.raises(InputError, match=r"`index.json` is missing"):
        read_file(text, tmp_path)
    with pytest.raises(InputError, match="its index and its manifests are not at its start"):
        read(text)


def with_manifest(files: Files, change: Callable[[Any], object]) -> bytes:
    """Return an archive whose first manifest is changed, with a digest that fits."""
    (name, text), rest = next(item for item in files.items() if item[0] == first_manifest(files)), [*files][3:]
    value = json.loads(text)
    change(value)
    new = json.dumps(value).encode()
    index = json.loads(files["index.json"])
    described = next(entry for entry in entries(index) if entry["digest"][7:] == name.rpartition("/")[2])
    described |= {"digest": digest_of(new), "size": len(new)}
    head = {"oci-layout": files["oci-layout"], "index.json": json.dumps(index).encode()}
    return packed(head | {f"blobs/sha256/{digest_of(new)[7:]}": new} | {key: files[key] for key in rest})


def test_manifest_that_another_program_wrote_anew_is_that_of_its_annotation(layout: Layout) -> None:
    files = unpacked(archive(layout))
    changed = ArchiveReader(io.BytesIO(with_manifest(files, lambda value: value.update(more=1))), "x")
    assert changed.models == ArchiveReader(io.BytesIO(packed(files)), "x").models


def test_annotation_with_other_layers_is_rejected(layout: Layout) -> None:
    text = with_manifest(unpacked(archive(layout)), lambda value: value["layers"].clear())
    with pytest.raises(InputError, match="has other layers than its annotation"):
        read(text)


def test_manifest_that_is_missing_is_noticed(layout: Layout, tmp_path: Path) -> None:
    files = unpacked(archive(layout))
    text = packed(without(first_manifest(files))(files))
    with pytest.raises(InputError, match=r"manifest sha256:\w+… is missing"):
        read_file(text, tmp_path)
    with pytest.raises(InputError, match="are not at its start"):
        read(text)


def test_manifest_that_is_none_of_a_model_is_rejected(layout: Layout) -> None:
    files = unpacked(archive(layout))
    wrong = b'{"schemaVersion":1}'
    index = json.loads(files["index.json"])
    entries(index)[0] |= {"digest": digest_of(wrong), "size": len(wrong)}
    names = [*files]
    text = packed(
        {
            names[0]: files[names[0]],
            "index.json": json.dumps(index).encode(),
            f"blobs/sha256/{digest_of(wrong)[7:]}": wrong,
        }
        | {name: files[name] for name in names[3:]}
    )
    with pytest.raises(InputError, match=r"manifest sha256:\w+… is invalid: "):
        read(text)


def test_truncated_archive_is_rejected_wherever_it_stops(layout: Layout, tmp_path: Path) -> None:
    text = archive(layout)
    for length in range(0, len(text), 511):
        for attempt in attempts(text[:length], tmp_path):
            with pytest.raises(InputError, match=r"it is truncated|it is empty"):
                attempt()


def test_layout_is_that_of_tar_and_its_blobs_lie_in_any_folder(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(archive(layout))
    with tarfile.open(tmp_path / "x.tar") as tar:
        tar.extractall(tmp_path / "extracted", filter="data")
    with tarfile.open(tmp_path / "again.tar", "w") as tar:
        tar.add(tmp_path / "extracted", ".")
    text = (tmp_path / "again.tar").read_bytes()
    assert read_file(text, tmp_path) == read(archive(layout))


def test_two_sizes_of_a_blob_are_rejected(layout: Layout) -> None:
    digest = add_blob(layout, b"x")
    (first, second) = models(layout)
    value = json.loads(second.manifest.text)
    value["layers"][0] |= {"size": 5}
    value["layers"].append({"mediaType": "application/vnd.ollama.image.system", "digest": digest, "size": 1})
    lying = ArchivedModel(second.name, Manifest.parse(json.dumps(value), "it"))
    with pytest.raises(InputError, match=r"two manifests give blob sha256:\w+… different sizes"):
        next(archive_of([first, lying], Blobs(layout)))
