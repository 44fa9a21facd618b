"""Quantized weights in the place of those that a Modelfile names; the command's tests have the rest."""

from pathlib import Path

import pytest
from tests.support.paths import ROOT

import modelfile
from modelfile.builder.quantization import quantized
from modelfile.errors import UsageError

VISION = ROOT / "modelfiles" / "vision"
Q8 = ROOT / "modelfiles" / "quantized-pair" / "tiny-q8_0.gguf"


def test_a_projector_stays_as_it_is(tmp_path: Path) -> None:
    program = tmp_path / "llama-quantize"
    program.write_text(f'#!/bin/sh\ncp {Q8} "$2"\n')
    program.chmod(0o755)
    target = modelfile.Project().at(VISION / "Modelfile", quantize="q8_0")
    recipe, digests = target.recipe(), target.digests()
    made, its_digests, digest = quantized(target, recipe, digests, str(program))
    assert its_digests[made.files[0]] == digest
    assert (made.quantize, made.files[1:], made.files[0].read_bytes()) == ("", recipe.files[1:], Q8.read_bytes())
    assert its_digests.keys() == {*made.files}
    assert its_digests[made.files[1]] == digests[recipe.files[1]]


def test_several_models_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text(f"FROM {VISION / 'model.gguf'}\nFROM {Q8}\n")
    target = modelfile.Project().at(tmp_path / "Modelfile", quantize="q8_0")
    with pytest.raises(UsageError, match="names 2"):
        quantized(target, target.recipe(), target.digests(), "true")
