"""Differences of Modelfiles that are no part of the model."""

import pytest

from modelfile.differ.comparison import Category, Value
from modelfile.differ.cosmetics import compare_cosmetics
from modelfile.syntax.modelfile import parse

TEXT = "# A bot.\nFROM llama3.2:3b\nPARAMETER top_k 1\nPARAMETER stop a\nPARAMETER stop b\nSYSTEM Be brief.\n"


@pytest.mark.parametrize(
    ("new", "changes"),
    [
        (TEXT, []),
        (TEXT.replace("bot", "Bot"), [("comments", "A bot.", "A Bot.")]),
        (TEXT.replace("# A bot.\n", ""), [("comments", "A bot.", None)]),
        (TEXT.replace("\n", "\n\n"), []),
        (
            TEXT.replace("SYSTEM Be brief.", '"').replace('"', 'system """Be brief."""'),
            [("notation", "SYSTEM Be brief.", 'system """Be brief."""')],
        ),
        (
            "SYSTEM Be brief.\n" + TEXT.replace("SYSTEM Be brief.\n", ""),
            [
                (
                    "order",
                    ("FROM", "PARAMETER top_k", "PARAMETER stop", "SYSTEM"),
                    ("SYSTEM", "FROM", "PARAMETER top_k", "PARAMETER stop"),
                )
            ],
        ),
        (TEXT.replace("stop a", "stop c").replace("top_k 1", "seed 7"), []),
        (
            TEXT.replace("PARAMETER stop a\nPARAMETER stop b", "PARAMETER stop b\nparameter stop  a").replace(
                "  ", " "
            ),
            [("notation", "PARAMETER stop a", "parameter stop a")],
        ),
    ],
)
def test_only_what_is_no_part_of_the_model_is_cosmetic(new: str, changes: list[tuple[str, Value, Value]]) -> None:
    found = compare_cosmetics(parse(TEXT), parse(new))
    assert [(change.title, change.old, change.new) for change in found] == changes
    assert {change.category for change in found} <= {Category.COSMETIC}
    mirror = compare_cosmetics(parse(new), parse(TEXT))
    assert [(change.title, change.new, change.old) for change in mirror] == changes
