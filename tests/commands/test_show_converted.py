"""`mf show --memory` of safetensors, which Ollama converts."""

import json
from pathlib import Path

from tests.support.cli import mf
from tests.support.tiny_safetensors import write_model


def test_safetensors_need_what_ollama_converts_them_to(tmp_path: Path) -> None:
    write_model(tmp_path / "m")
    for name in ("m", "m/model.safetensors"):
        ran = mf("show", str(tmp_path / name), "--memory", "1G", "--json")
        (model,) = json.loads(ran.out)["models"]
        assert (ran.code, ran.err, model["fits"], model["exactness"]) == (0, "", True, "estimated")
        exact = {term["name"] for term in model["terms"] if term["exactness"] == "exact"}
        assert exact >= {"weights", "KV cache"}


def test_memory_of_unknown_safetensors_is_not_known(tmp_path: Path) -> None:
    write_model(tmp_path / "m")
    (tmp_path / "m/config.json").unlink()
    ran = mf("show", str(tmp_path / "m"), "--memory", "1G", "--json")
    (model,) = json.loads(ran.out)["models"]
    assert (ran.code, model["total"], model["exactness"]) == (0, None, "unknown")
