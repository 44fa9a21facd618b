"""Models in a store on disk, written file by file, as a server leaves them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from modelfile.manifest import CONFIG_TYPE, LAYER_TYPE, MEDIA_TYPE
from modelfile.names import ModelName
from modelfile.stores.disk.layout import Layout

CONFIG = b'{"model_format":"gguf"}\n'
HOUR = 3600


def digest_of(content: bytes) -> str:
    """Return the digest of bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def empty_store(root: Path) -> Layout:
    """Return a store without models."""
    for folder in ("blobs", "manifests"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    return Layout(root)


def add_blob(layout: Layout, content: bytes, *, age: float = 0) -> str:
    """Write a blob and return its digest; `age` is in seconds."""
    path = layout.blob(digest_of(content))
    path.write_bytes(content)
    path.chmod(0o644)
    set_age(path, age)
    return digest_of(content)


def add_model(layout: Layout, name: str, *, age: float = 0, **layers: bytes) -> str:
    """Write a model of layers by kind, and return the digest of its manifest; `age` is in seconds."""
    described = [
        {"mediaType": f"{LAYER_TYPE}{kind}", "digest": add_blob(layout, content, age=age), "size": len(content)}
        for kind, content in layers.items()
    ]
    config = {"mediaType": CONFIG_TYPE, "digest": add_blob(layout, CONFIG, age=age), "size": len(CONFIG)}
    return add_manifest(layout, name, config=config, layers=described, age=age)


def add_manifest(layout: Layout, name: str, *, age: float = 0, **fields: Any) -> str:
    """Write a manifest, and return its digest."""
    text = json.dumps({"schemaVersion": 2, "mediaType": MEDIA_TYPE, **fields}, separators=(",", ":")) + "\n"
    path = layout.manifest(ModelName.parse(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    set_age(path, age)
    return digest_of(text.encode())


def add_described(layout: Layout, described: Any) -> None:
    """Write what JSON describes: `models` by name, loose `blobs`, `files` by path, all of an `age` in seconds."""
    age = described.get("age", 0)
    for name, layers in described.get("models", {}).items():
        add_model(layout, name, age=age, **{kind: text.encode() for kind, text in layers.items()})
    for text in described.get("blobs", ()):
        add_blob(layout, text.encode(), age=age)
    for name, text in described.get("files", {}).items():
        (layout.root / name).write_text(text, encoding="utf-8")
        set_age(layout.root / name, age)


def set_age(path: Path, age: float) -> None:
    """Let a file be some seconds old."""
    if age:
        time = path.lstat().st_mtime - age
        os.utime(path, (time, time), follow_symlinks=False)


def contents(root: Path) -> dict[str, bytes | str]:
    """Return all files below a folder by path: their bytes, or where symlinks lead."""
    files = (path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    return {
        path.relative_to(root).as_posix(): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in files
    }


def damages(root: Path) -> list[str]:
    """Return what is wrong with a store: unreadable manifests, and blobs that are missing or others than named."""
    found = []
    for path in (root / "manifests").glob("*/*/*/*"):
        try:
            manifest = json.loads(path.read_bytes())
        except ValueError:
            found.append(f"{path}: not JSON")
            continue
        for layer in (manifest["config"], *manifest["layers"]):
            blob = root / "blobs" / layer["digest"].replace(":", "-")
            if not blob.exists():
                found.append(f"{path}: {blob.name} is missing")
            elif blob.stat().st_size != layer["size"]:
                found.append(f"{path}: {blob.name} has another size")
    blobs = Layout(root).blobs()
    return [
        *found,
        *(f"{path.name} has another digest" for digest, path in blobs if digest_of(path.read_bytes()) != digest),
    ]


def temporary_files(root: Path) -> list[Path]:
    """Return the temporary files of ours in a store."""
    return [*root.glob("mf-*"), *root.glob("blobs/mf-*")]
