"""Amounts of memory, and the memory of this machine."""

import os
import sys
from pathlib import Path

import pytest

from modelfile.errors import UsageError
from modelfile.machine import Gpu, Machine, find_machine, format_memory, parse_memory

GIB = 1 << 30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24G", 24 * GIB),
        ("24g", 24 * GIB),
        ("24GB", 24 * GIB),
        ("24 GiB", 24 * GIB),
        (" 24gib ", 24 * GIB),
        ("1.5T", 1536 * GIB),
        ("512M", GIB // 2),
        ("64K", 65536),
        ("1024", 1024),
        ("100B", 100),
    ],
)
def test_parse_memory(text: str, expected: int) -> None:
    assert parse_memory(text) == expected


@pytest.mark.parametrize(
    "text", ["", "G", "24X", "-1G", "0G", "0", "1e9", "24 G B", "2,4G", "\u0662G", "nan", "9" * 99]
)
def test_invalid_amount(text: str) -> None:
    with pytest.raises(UsageError, match="invalid amount of memory") as found:
        parse_memory(text)

    assert found.value.hint == "write a number with a unit, as in `24G`"


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (24 * GIB, "24.0 GiB"), (1 << 51, "2,048.0 TiB")],
)
def test_format_memory(count: int, expected: str) -> None:
    assert format_memory(count) == expected


def program(folder: Path, name: str, script: str) -> dict[str, str]:
    (folder / name).write_text(f"#!{sys.executable}\n{script}\n")
    (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


def test_machine_without_gpus(tmp_path: Path) -> None:
    assert find_machine({"PATH": str(tmp_path)}) == Machine(
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    )
    assert find_machine({}).gpu_memory == 0


def test_gpus_of_nvidia(tmp_path: Path) -> None:
    environ = program(tmp_path, "nvidia-smi", "print('NVIDIA A10, 24564\\nOdd, name, 8192\\nbroken\\n[N/A], [N/A]')")

    found = find_machine(environ)

    assert found.gpus == (Gpu(name="NVIDIA A10", memory=24564 << 20), Gpu(name="Odd, name", memory=8 * GIB))
    assert found.gpu_memory == (24564 + 8192) << 20


def test_gpus_of_amd(tmp_path: Path) -> None:
    answer = '{"card0": {"VRAM Total Memory (B)": "17163091968", "Card series": "RX 7800"}, "system": {}, "x": 1}'
    environ = program(tmp_path, "rocm-smi", f"print({answer!r})")

    assert find_machine(environ).gpus == (Gpu(name="RX 7800", memory=17163091968),)


@pytest.mark.parametrize("name", ["nvidia-smi", "rocm-smi"])
@pytest.mark.parametrize(
    "script",
    [
        "raise SystemExit(9)",
        "print('{')",
        "print('[]')",
        "import os; os.write(1, b'\\xff, \\xff\\n')",
        "print('[' * 99999)",
    ],
)
def test_failing_program_is_no_gpu(name: str, script: str, tmp_path: Path) -> None:
    assert find_machine(program(tmp_path, name, script)).gpus == ()


def test_program_that_cannot_be_run_is_no_gpu(tmp_path: Path) -> None:
    (tmp_path / "nvidia-smi").write_bytes(b"\0")
    (tmp_path / "nvidia-smi").chmod(0o755)

    assert find_machine({"PATH": str(tmp_path)}).gpus == ()


def test_program_in_the_working_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "nvidia-smi", "print('A, 1024')")
    monkeypatch.chdir(tmp_path)

    assert find_machine({"PATH": "."}).gpus == ()


def test_waiting_program_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.machine._TIMEOUT", 0.2)
    environ = program(tmp_path, "nvidia-smi", "import signal; signal.pause()")

    assert find_machine(environ).gpus == ()
