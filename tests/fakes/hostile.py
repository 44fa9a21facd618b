"""Answers that a client must survive: hostile, broken, or not of Ollama; the data of a campaign."""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64encode
from typing import Any, Final
from urllib.parse import quote

from tests.fakes.script import End, Pause, Repeat, Script, Step, drip

KEY: Final = "sk-geheim/0123+456789"
"""The key that is sent, and must not come back."""
HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED: Final = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SLOW: Final = 0.05
DIGEST: Final = "0" * 64
SIGNED: Final = "https://user:pw@r2.example/data?X-Amz-Signature=0123456789abcdef&service=x"


def reply(body: bytes | str = b"", status: str = "200 OK", *headers: str) -> Script:
    """Return a whole answer."""
    body = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers, "", ""]
    return Script(("\r\n".join(lines).encode() + body,))


def error(message: Any, status: str = "400 Bad Request", *headers: str) -> Script:
    """Return a rejection with a message."""
    return reply(json.dumps({"error": message}), status, *headers)


def every(text: Any, **others: Any) -> str:
    """Return the JSON that answers every question, with a text wherever Ollama has one."""
    tag = {"name": text, "model": text, "digest": DIGEST, "size": 1, "modified_at": "2026-01-01T00:00:00Z"}
    show = {"modelfile": f"FROM /x/blobs/sha256-{DIGEST}\n", "parameters": text, "template": text, "system": text}
    show |= {"license": text, "requires": text, "details": {"quantization_level": text}}
    show["messages"] = [{"role": text, "content": text}]
    return json.dumps({"version": text, "models": [tag], "status": text, **show, **others})


def model(**fields: Any) -> str:
    """Return a list of a model, with other fields than it should have."""
    tag = {"name": "bot:v1", "digest": DIGEST, "size": 1, "modified_at": "2026-01-01T00:00:00Z"}
    return json.dumps({"version": "0.9.3", "models": [tag | fields], "status": "success"})


def stream(*steps: Step) -> Script:
    """Return a stream of lines."""
    return Script((CHUNKED, *steps))


def line(text: str) -> bytes:
    """Return a line as a chunk."""
    return b"%x\r\n%s\n\r\n" % (len(text.encode()) + 1, text.encode())


def lines(*texts: str) -> Script:
    """Return a stream that ends."""
    return stream(*map(line, texts), b"0\r\n\r\n")


def progress(status: str, total: int = 0, completed: int = 0) -> str:
    """Return a line of progress."""
    return json.dumps({"status": status, "total": total, "completed": completed})


SUCCESS: Final = progress("success")
ESCAPED_KEY: Final = "".join(f"\\u{ord(character):04x}" for character in KEY)

CONNECTIONS: Final = {
    "silence": Script((Pause(),)),
    "silence before the body is read": Script((Pause(),), unread=True),
    "closed at once": Script(),
    "closed before the body is read": Script(unread=True),
    "reset at once": Script((End.RESET,)),
    "reset before the body is read": Script((End.RESET,), unread=True),
    "closed in the status line": Script((b"HTTP/1.1 20",)),
    "closed in the headers": Script((HEAD + b"X-A",)),
    "closed after the headers": Script((HEAD + b"Content-Length: 9\r\n\r\n",)),
    "closed in the body": Script((HEAD + b'Content-Length: 99\r\n\r\n{"models": [',)),
    "reset in the body": Script((HEAD + b'Content-Length: 99\r\n\r\n{"models": [', End.RESET)),
    "closed in a chunk": stream(b'ff\r\n{"status":'),
    "closed before the last chunk": stream(line(SUCCESS)),
    "silence after the status line": Script((b"HTTP/1.1 200 OK\r\n", Pause())),
    "silence after the headers": Script((HEAD + b"Content-Length: 9\r\n\r\n", Pause())),
    "silence in the body": Script((HEAD + b'Content-Length: 99\r\n\r\n{"models": [', Pause())),
    "silence in a chunk": stream(b'ff\r\n{"status":', Pause()),
    "silence after a status": stream(line(progress("pulling")), Pause()),
    "silence after success": stream(line(SUCCESS), Pause()),
    "kept alive, then closed": Script((HEAD + b"Connection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",)),
    "two answers at once": Script((reply(every("x")).steps[0], reply(every("x")).steps[0])),
    "success, then an answer to nothing": Script((reply(SUCCESS).steps[0], b"HTTP/1.1 500 No\r\n\r\n")),
}

DRIPS: Final = {
    "drip of the status line": Script(drip(b"HTTP/1.1 200 OK\r\n" * 99, SLOW)),
    "drip of headers": Script((HEAD, Repeat(b"X-A: b\r\n", SLOW))),
    "drip of one header": Script((HEAD + b"X-A: ", Repeat(b"x", SLOW))),
    "drip of the body": Script((HEAD + b"Content-Length: 999999\r\n\r\n", Repeat(b" ", SLOW))),
    "drip of chunks": stream(Repeat(b"1\r\n \r\n", SLOW)),
    "drip of a chunk's size": stream(Repeat(b"0", SLOW)),
    "drip of interim answers": Script((Repeat(b"HTTP/1.1 102 Processing\r\n\r\n", SLOW),)),
    "drip of trailers": stream(line(SUCCESS), b"0\r\n", Repeat(b"X-A: b\r\n", SLOW)),
    "drip of blank lines": stream(Repeat(b"1\r\n\n\r\n", SLOW)),
    "drip of one status": stream(Repeat(line(progress("verifying")), SLOW)),
    "drip of two statuses": stream(Repeat(line(progress("a")) + line(progress("b")), SLOW)),
    "progress that goes backward": stream(Repeat(line(progress("a", 9, 5)) + line(progress("a", 9, 4)), SLOW)),
    "progress beyond the total": stream(Repeat(b'{"status":"a","total":1,"completed":1{n}}\n', SLOW, chunked=True)),
    "progress without a total": stream(Repeat(b'{"status":"a","completed":{n}}\n', SLOW, chunked=True)),
    "endless interim answers": Script((Repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),)),
    "endless headers": Script((HEAD, Repeat(b"X-A: b\r\n"))),
    "endless header": Script((HEAD + b"X-A: ", Repeat(b"x" * 9999))),
    "endless body": Script((HEAD + b"\r\n", Repeat(b" " * 65536))),
    "endless spaces": stream(Repeat(line(" " * 65536))),
    "endless blank lines": stream(Repeat(line("\n" * 999))),
    "endless repetition": stream(Repeat(line(progress("verifying")))),
    "endless statuses": stream(Repeat(b'{"status":"step {n}"}\n' * 99, chunked=True)),
    "endless setbacks": stream(Repeat(line(progress("a", 9, 5)) + line(progress("a", 9, 4)))),
    "endless list": stream(b'b\r\n{"models":[\r\n', Repeat(b"2000\r\n" + b"0," * 4096 + b"\r\n")),
    "endless text": stream(b'a\r\n{"status":\r\n1\r\n"\r\n', Repeat(b"2000\r\n" + b"x" * 8192 + b"\r\n")),
    "endless after success": stream(line(SUCCESS), Repeat(line(progress("more")))),
}

STATUSES: Final = {
    "switching protocols": Script((b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", Pause())),
    "continue, then closed": Script((b"HTTP/1.1 100 Continue\r\n\r\n",)),
    "204": Script((b"HTTP/1.1 204 No Content\r\n\r\n",)),
    "205": reply("", "205 Reset Content"),
    "206": reply(every("x")[:40], "206 Partial Content", "Content-Range: bytes 0-39/9999"),
    "200 and nothing": reply(""),
    "301 elsewhere": reply("", "301 Moved", f"Location: http://127.0.0.1:9/{KEY}"),
    "302 to itself": reply("", "302 Found", "Location: /api/tags"),
    "307 without a place": reply("", "307 Temporary Redirect"),
    "308 to a secret": reply("", "308 Permanent Redirect", f"Location: {SIGNED}"),
    "304": Script((b"HTTP/1.1 304 Not Modified\r\n\r\n",)),
    "400 in HTML": reply("<html>Bad</html>", "400 Bad Request"),
    "401": error("unauthorized", "401 Unauthorized", "WWW-Authenticate: Bearer realm=x"),
    "403": error("forbidden", "403 Forbidden"),
    "404": error("model not found", "404 Not Found"),
    "404 as text": reply("404 page not found", "404 Not Found"),
    "405": reply("", "405 Method Not Allowed"),
    "407": reply("", "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="x"'),
    "408": reply("", "408 Request Timeout"),
    "413": reply("<html>", "413 Content Too Large"),
    "418": error("teapot", "418 I'm a teapot"),
    "429 for ages": error("later", "429 Too Many Requests", "Retry-After: 99999999999"),
    "429 in the past": error("later", "429 Too Many Requests", "Retry-After: -1"),
    "429 at some time": error("later", "429 Too Many Requests", "Retry-After: \x80 soon"),
    "500": error("boom", "500 Internal Server Error"),
    "500 as text": reply("boom", "500 Internal Server Error"),
    "502": reply("<html>Bad Gateway</html>", "502 Bad Gateway"),
    "503 for ages": reply("", "503 Service Unavailable", "Retry-After: 99999999999"),
    "599": reply("", "599 What"),
    "status 999": reply("", "999 What"),
    "status 99999": reply("", "99999 What"),
    "status -1": reply("", "-1 What"),
    "no status": Script((b"HTTP/1.1 \r\n\r\n",)),
    "the banner of ssh": Script((b"SSH-2.0-OpenSSH_9.6\r\n",)),
    "the alert of TLS": Script((b"\x15\x03\x01\x00\x02\x02\x46",)),
    "a body and no head": Script((every("x").encode(),)),
    "HTTP/2": Script((b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x80\0\4\0\1\0\0\0\5\0\xff\xff\xff",)),
}

FRAMES: Final = {
    "gzip bomb": reply(gzip.compress(bytes(1 << 24)), "200 OK", "Content-Encoding: gzip"),
    "deflate": reply(zlib.compress(every("x").encode()), "200 OK", "Content-Encoding: deflate"),
    "unknown encoding": reply(every("x"), "200 OK", "Content-Encoding: x-rot13"),
    "unknown transfer": reply(every("x"), "200 OK", "Transfer-Encoding: gzip"),
    "chunks and a length": Script((HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",)),
    "two lengths": Script((HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}  ",)),
    "a length below 0": Script((HEAD + b"Content-Length: -1\r\n\r\n{}",)),
    "a huge length": Script((HEAD + b"Content-Length: 9" + b"9" * 60 + b"\r\n\r\n{}",)),
    "a length too short": Script((HEAD + b"Content-Length: 2\r\n\r\n" + every("x").encode(),)),
    "a chunk of no size": stream(b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk of a huge size": stream(b"f" * 40 + b"\r\n{}"),
    "a chunk below 0": stream(b"-5\r\n{}\r\n"),
    "a chunk too long": stream(b"2\r\n{}{}{}\r\n0\r\n\r\n"),
    "trailers": stream(line(every("x")), b"0\r\nX-Key: " + KEY.encode() + b"\r\n\r\n"),
    "a NUL in a header": Script((HEAD + b"X-A: \0\r\nContent-Length: 2\r\n\r\n{}",)),
    "a newline in a header": Script((HEAD + b"X-A: b\n c\r\nContent-Length: 2\r\n\r\n{}",)),
}

BODIES: Final = {
    "HTML": reply("<html>Welcome to nginx!</html>"),
    "not UTF-8": reply(b'{"version": "\xff\xfe", "status": "\xc3"}'),
    "UTF-16": reply(every("x").encode("utf-16")),
    "NULs": reply(bytes(999)),
    "deep lists": reply("[" * 200_000),
    "deep objects": reply('{"models":' * 100_000),
    "a deep list that ends": reply('{"models":' + "[" * 9999 + "]" * 9999 + "}"),
    "a number of 400 digits": reply(every("x", total=10**400, completed=10**400)),
    "a size of 400 digits": reply(model(size=10**400)),
    "a size of 5000 digits": reply('{"models":[{"size":' + "9" * 5000 + '}],"total":' + "9" * 5000 + "}"),
    "a size below 0": reply(model(size=-5)),
    "a size that is a truth": reply(model(size=True)),
    "a size that is none": reply(model(size=float("nan"))),
    "totals below 0": lines(progress("a", -5, -9), progress("a", -9, 9), SUCCESS),
    "infinite totals": lines('{"status":"a","total":Infinity,"completed":-Infinity}', SUCCESS),
    "keys given twice": reply('{"version":1,"version":"0.9.3","models":1,"models":[],"status":"a","status":1}'),
    "null": reply("null"),
    "nulls everywhere": reply(json.dumps(dict.fromkeys(json.loads(every("x"))))),
    "nulls in a list": reply('{"models":[null,null]}'),
    "a list": reply("[]"),
    "a text": reply('"success"'),
    "a number": reply("1"),
    "wrong types": reply(every(["x"])),
    "objects for texts": reply(every({"x": {}})),
    "an error that is none": error({"message": "boom"}, "500 Internal Server Error"),
    "no digest": reply(model(digest="sha256:" + DIGEST)),
    "a digest in other digits": reply(model(digest="\u0660" * 64)),
    "a time that is none": reply(model(modified_at="yesterday")),
    "the first of times": reply(model(modified_at="0001-01-01T00:00:00+23:59")),
    "the last of times": reply(model(modified_at="9999-12-31T23:59:59-23:59")),
    "lone surrogates": reply('{"version":"\\ud800","models":[{"name":"\\udfff"}],"status":"\\udc80"}'),
    "surrogates as bytes": reply('{"version":"\ud800","status":"\udfff"}'),
    "a long version": reply(every("9" * 999_999)),
    "control characters": reply(every("\x1b[2J\x07\r\n::error::\x9b31m\0")),
    "control characters in an error": error("\x1b[2J\x07\r\n::error::\x9b31m", "500 Internal Server Error"),
    "control characters in a status line": reply("", "500 \x1b[2J\x07\x9b"),
    "bidi": reply(every("\u202egpj.exe\u2066\u200b")),
    "hostile names": reply(every("../../etc/passwd")),
    "names that are options": reply(every("--host")),
    "names like markup": reply(every("[red]x[/red]{x}%s")),
    "a name without end": reply(every("x" * 99_999)),
    "a parameter without end": reply(every('stop "' + "\\" * 99_999)),
    "a parameter of lines": reply(every('stop "a"\n' * 99_999)),
    "an error of a megabyte": error("x" * 999_999, "500 Internal Server Error"),
    "an error, then success": lines('{"error":"boom"}', SUCCESS),
    "success twice": lines(SUCCESS, SUCCESS),
    "success, then more": lines(SUCCESS, progress("verifying")),
    "success that is a number": lines('{"status":200}'),
    "success never": lines(progress("pulling manifest"), progress("verifying sha256 digest")),
    "success of nothing": lines(SUCCESS),
    "another digest": error(f'digest mismatch, expected "{DIGEST}", got "1"'),
    "a full disk": error("no space left on device", "500 Internal Server Error"),
}

KEYS: Final = {
    "the key everywhere": reply(every(KEY)),
    "the key, escaped": reply(every("x").replace('"x"', f'"{ESCAPED_KEY}"')),
    "the key in a name": reply(model(name=f"{KEY.replace('/', '-')}:v1", model=KEY)),
    "the key in an error": error(f"bad key {KEY}", "401 Unauthorized"),
    "the key in a 500": error(f"bad key {KEY}", "500 Internal Server Error"),
    "the key in a status line": reply("", f"500 {KEY}"),
    "the key in a status that is none": reply("", f"{KEY} OK"),
    "the key in a header": reply("", "500 What", f"X-Key: {KEY}", f"{KEY}: x"),
    "the key as a chunk's size": stream(KEY.encode() + b"\r\n"),
    "the key and no head": Script((KEY.encode() + b"\r\n\r\n",)),
    "the key in a URL": error(f"Get https://x.example/?key={quote(KEY, safe='')}: EOF", "500 Internal Server Error"),
    "the key in base64": error(f"Basic {b64encode(f'user:{KEY}'.encode()).decode()}", "403 Forbidden"),
    "the key in a stream": lines(progress(f"pulling {KEY}"), json.dumps({"error": f"bad key {KEY}"})),
    "the key at the end of a stream": lines(progress(KEY)),
    "a signed URL": error(f'Get "{SIGNED}": dial tcp: lookup r2.example: no such host', "500 Internal Server Error"),
}

BEHAVIORS: Final = {**CONNECTIONS, **DRIPS, **STATUSES, **FRAMES, **BODIES, **KEYS}
