"""Quantization by a program of this machine, for which a script stands here."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.paths import ROOT
from tests.support.tiny_gguf import bare_gguf

from modelfile.errors import InputError, ModelfileError, UsageError, VerificationError
from modelfile.events import Progress
from modelfile.weights.quantizer import quantize

PAIR = ROOT / "modelfiles" / "quantized-pair"
WHOLE, Q8 = PAIR / "tiny-f16.gguf", PAIR / "tiny-q8_0.gguf"
DIGEST = f"sha256:{'1' * 64}"


def program(folder: Path, script: str) -> str:
    """Write a program that runs a shell script, in which `$2` is the result, and return its path."""
    path = folder / "llama-quantize"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def left() -> list[str]:
    return sorted(path.name for path in (Path(os.environ["XDG_CACHE_HOME"]) / "modelfile/quantized").iterdir())


def test_the_result_is_kept(tmp_path: Path) -> None:
    made = program(tmp_path, f'echo "$@" >> {tmp_path}/calls; cp {Q8} "$2"')
    result = quantize(WHOLE, DIGEST, "q8_0", made)
    assert result.read_bytes() == Q8.read_bytes()
    assert (left(), result.name[:14]) == ([result.name], "tiny-f16-Q8_0-")
    assert quantize(WHOLE, DIGEST, "Q8_0", made) == result
    assert (tmp_path / "calls").read_text() == f"{WHOLE} {result.with_suffix('.part')} Q8_0\n"
    others = {quantize(WHOLE, f"sha256:{'2' * 64}", "q8_0", made)}
    os.utime(made, (1, 1))  # another build of the program
    others.add(quantize(WHOLE, DIGEST, "q8_0", made))
    assert len({result, *others}) == 3


def test_results_that_no_build_has_used_for_a_week_are_removed(tmp_path: Path) -> None:
    made = program(tmp_path, f'cp {Q8} "$2"')
    old, recent, used = (quantize(WHOLE, f"sha256:{digit * 64}", "q8_0", made) for digit in "123")
    for path in (old, used):
        os.utime(path, (time.time() - 8 * 86_400,) * 2)
    quantize(WHOLE, f"sha256:{'3' * 64}", "q8_0", made)
    last = quantize(WHOLE, f"sha256:{'4' * 64}", "q8_0", made)
    assert left() == sorted(path.name for path in (recent, used, last))


@pytest.mark.parametrize(
    ("script", "kind", "error", "message"),
    [
        (
            "echo one; echo two >&2; exit 3",
            "q8_0",
            InputError,
            "cannot quantize `{0}` to Q8_0 (exit code 3)\n  one\n  two",
        ),
        ("kill -9 $$", "q8_0", InputError, "cannot quantize `{0}` to Q8_0 (killed by signal 9)"),
        (
            "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 1",
            "q8_0",
            InputError,
            "(exit code 1)\n  line 1997\n  line 1998\n  line 1999",
        ),
        ("exit 0", "q8_0", VerificationError, "llama-quantize` wrote no file of quantized weights"),
        ('mkdir "$2" "$2/x"', "q8_0", VerificationError, "llama-quantize` wrote no file of quantized weights"),
        (f'ln -s {Q8} "$2"', "q8_0", VerificationError, "llama-quantize` wrote no file of quantized weights"),
        ('mkfifo "$2"', "q8_0", VerificationError, "llama-quantize` wrote no file of quantized weights"),
        (f'head -c 9000 {Q8} > "$2"', "q8_0", VerificationError, "size in bytes 9000 instead of "),
        (f'cp {WHOLE} "$2"', "q8_0", VerificationError, "type F16 instead of Q8_0"),
        (f'cp {Q8} "$2"', "q4_k", VerificationError, "type Q8_0 instead of Q4_K_M"),
        (f'cp {PAIR.parent}/vision/mmproj.gguf "$2"', "f32", VerificationError, "architecture clip instead of llama"),
        (f'cp {PAIR}/f16.Modelfile "$2"', "q8_0", VerificationError, "llama-quantize` wrote no whole GGUF file"),
        (f'head -c 99 {Q8} > "$2"', "q8_0", VerificationError, "llama-quantize` wrote no whole GGUF file"),
    ],
)
def test_other_results_are_rejected(
    script: str, kind: str, error: type[ModelfileError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as raised:
        quantize(WHOLE, DIGEST, kind, program(tmp_path, script))
    assert message.format(WHOLE) in str(raised.value)
    assert left() == []


def test_weights_of_another_model_are_rejected(tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(bare_gguf("other", file_type=7, architecture="llama"))
    with pytest.raises(VerificationError, match="number of weights 0 instead of 14432"):
        quantize(WHOLE, DIGEST, "q8_0", program(tmp_path, f'cp {other} "$2"'))


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(UsageError) as raised:
        quantize(WHOLE, DIGEST, "q8_0", "no-such-program")
    assert (raised.value.message, raised.value.hint) == (
        "program not found: `no-such-program`",
        "install llama.cpp, or pass the path of its llama-quantize to --with",
    )


def test_a_program_of_another_machine(tmp_path: Path) -> None:
    path = tmp_path / "llama-quantize"
    path.write_bytes(b"\x7fELF")
    path.chmod(0o755)
    with pytest.raises(InputError, match=r"cannot run `.*`: Exec format error"):
        quantize(WHOLE, DIGEST, "q8_0", str(path))


def test_progress_is_the_size_so_far(tmp_path: Path) -> None:
    seen: list[Progress] = []
    waits = f'head -c 5000 {Q8} > "$2"; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; cp {Q8} "$2"'

    def see(progress: Progress) -> None:
        seen.append(progress)
        if progress.completed:
            (tmp_path / "go").touch()

    quantize(WHOLE, DIGEST, "q8_0", program(tmp_path, waits), see)
    assert Progress(status="quantizing tiny-f16.gguf", completed=5000) in seen


def test_an_interrupt_ends_the_program(tmp_path: Path) -> None:
    made = program(tmp_path, f'echo $$ > {tmp_path}/pid; echo x > "$2"; exec sleep 600')
    code = "from pathlib import Path; from modelfile.weights.quantizer import quantize\n"
    code += f"quantize(Path({str(WHOLE)!r}), {DIGEST!r}, 'q8_0', {made!r}, lambda _: print('waits', flush=True))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "waits\n"
        while not (tmp_path / "pid").exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode != 0
    assert left() == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
