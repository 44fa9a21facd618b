"""Credentials for registries: the answers to their challenges (RFC 6750, and Docker's token protocol).

Nothing is sent before a registry asks for it, and each credential goes to its own host only. Ollama's token request is
signed as its server does (server/auth.go, 0.9.3, signature verified); since 0.14.3 only for a realm on the registry's
own host, as here.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from modelfile.errors import InputError, RegistryRefused, UsageError
from modelfile.filesystem import home_folder, read_file
from modelfile.immutable import record
from modelfile.stores.registry.quirks import Credential, Quirks

_CHALLENGE: Final = re.compile(r"\s*([A-Za-z][\w-]*)\s+(?=[\w-]+\s*=)")
_PARAMETER: Final = re.compile(r'\s*+,?\s*+([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.){0,4096})"|([^\s,"]{0,4096}))')
_LARGEST_KEY: Final = 65_536
"""Largest size of a file with a key or a token, in bytes."""
_SERVICE_HOME: Final = Path("/usr/share/ollama")
"""Home of the user `ollama`, as whom the service of Ollama's installer runs on Linux."""
_TRUE: Final = frozenset({"1", "ON", "YES", "TRUE"})
_EMPTY: Final = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
"""The hash of a request without a body, as Ollama signs it: the base64 of hexadecimal digits."""
EXTRA: Final = "install `modelfile[private]`, which signs with Ollama's key (pip install 'modelfile[private]')"


@record(kw_only=True)
class Challenge:
    """The demand of a registry for a token (header WWW-Authenticate)."""

    scheme: str
    """In lower case."""
    realm: str = ""
    service: str = ""
    scopes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, header: str) -> Challenge | None:
        """Return the first challenge of a header; None if it has none."""
        found = _CHALLENGE.match(header)
        if not found:
            word = header.strip().partition(" ")[0]
            return cls(scheme=word.lower()) if word.isalpha() else None
        values: dict[str, str] = {}
        end = found.end()
        while parameter := _PARAMETER.match(header, end):
            quoted = parameter[2]
            values.setdefault(parameter[1].lower(), parameter[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
            end = parameter.end()
        return cls(
            scheme=found[1].lower(),
            realm=values.get("realm", ""),
            service=values.get("service", ""),
            scopes=tuple(values.get("scope", "").split()),
        )


def token_url(
    realm: httpx.URL, challenge: Challenge, *, signed: bool, now: Callable[[], float] = time.time
) -> httpx.URL:
    """Return the URL that a token is asked for at, its keys in order; a signed one has a nonce and the time."""
    query = [*realm.params.multi_items(), *(("scope", scope) for scope in challenge.scopes)]
    query += [("service", challenge.service)] if challenge.service else []
    if signed:
        nonce = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        query += [("nonce", nonce), ("ts", str(int(now())))]
    return realm.copy_with(query=urlencode(sorted(query)).encode(), fragment=None)


def sign(url: str, key: bytes) -> str:
    """Return the header Authorization of a GET, signed with an ed25519 key in OpenSSH's format.

    Raises:
        ImportError: The package `cryptography` is missing.
        ValueError: It is not such a key, or needs a password.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private: Any = serialization.load_ssh_private_key(key, password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError("not an ed25519 key")  # noqa: TRY004  # as of any other file that is none
    public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    signature = private.sign(f"GET,{url},{_EMPTY}".encode())
    return f"{public.split()[1].decode()}:{base64.b64encode(signature).decode()}"


def ollama_key() -> tuple[Path, bytes] | None:
    """Return Ollama's private key and its path: the user's, or that of the service; None if neither can be read."""
    home = home_folder()
    for folder in (*([home] if home else []), _SERVICE_HOME):
        path = folder / ".ollama" / "id_ed25519"
        try:
            return path, read_file(path, limit=_LARGEST_KEY)
        except InputError:
            continue
    return None


def hugging_face_token(environ: Mapping[str, str]) -> str:
    """Return the user's token for the Hub from its usual places, which huggingface_hub reads; empty if there is none.

    Raises:
        UsageError: It has characters that no token has.
    """
    if environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in _TRUE:
        return ""
    token = environ.get("HF_TOKEN") or environ.get("HUGGING_FACE_HUB_TOKEN") or ""
    if not token:
        try:
            token = read_file(_token_path(environ), limit=_LARGEST_KEY).decode(errors="replace")
        except InputError:
            return ""
    token = re.sub(r"[\r\n]", "", token).strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError("the Hugging Face token contains invalid characters", hint="copy it again, into HF_TOKEN")
    return token


def _token_path(environ: Mapping[str, str]) -> Path:
    if path := environ.get("HF_TOKEN_PATH"):
        return Path(os.path.expanduser(path))  # noqa: PTH111  # Path.expanduser raises an error
    home = home_folder() or Path("/")
    cache = environ.get("XDG_CACHE_HOME") or str(home / ".cache")
    hub = environ.get("HF_HOME") or os.path.join(cache, "huggingface")  # noqa: PTH118  # expanded next
    return Path(os.path.expanduser(hub)) / "token"  # noqa: PTH111  # Path.expanduser raises an error


def may_sign(realm: httpx.URL, host: str, quirks: Quirks) -> bool:
    """Return whether the realm of a challenge may get a request that is signed with the user's key."""
    return quirks.credential is not Credential.NONE and realm.netloc.decode().lower() in {host.lower(), *quirks.realms}


def access_hint(quirks: Quirks, host: str, *, sent: bool, task: str = "read") -> str:
    """Return what to do about a denied access.

    Args:
        quirks: The registry's.
        host: Its name.
        sent: Whether credentials were sent.
        task: What was denied, as in `read`.
    """
    exists = "check the name; " if quirks.hides else ""
    match quirks.credential:
        case Credential.HUGGING_FACE if sent:
            return f"{exists}accept the model's license on {host} if it is gated, or use a token that may {task} it"
        case Credential.HUGGING_FACE:
            return f"{exists}for a private or gated model, set HF_TOKEN to a token that may {task} it"
        case _ if sent:
            return f"the account of Ollama's key may not {task} it: ask its owner for access"
        case _:
            return "for a private model, run `ollama signin`: it registers the key in ~/.ollama with your account"


def token_in(value: Any) -> str:
    """Return the token in an answer of a realm.

    Raises:
        ValueError: It has none that can be sent.
    """
    found = value.get("token") or value.get("access_token") if isinstance(value, dict) else None
    if not isinstance(found, str) or not found or not (found.isascii() and found.isprintable()) or " " in found:
        raise ValueError("no token")
    return found


def first_challenge(headers: Iterable[str]) -> Challenge | None:
    """Return the challenge for a bearer token among headers, or else the first of another scheme."""
    found = [challenge for header in headers if (challenge := Challenge.parse(header))]
    return next((one for one in found if one.scheme == "bearer"), found[0] if found else None)


def cannot_sign(path: Path, what: str, host: str) -> RegistryRefused:
    """Return the error for a key that cannot be used."""
    return RegistryRefused(
        f"cannot read {what}: {host} asks for a token, and `{path}` is not an ed25519 key without a password",
        hint="restore the key, or remove it: `ollama serve` makes another",
    )
