"""The names of licenses by their titles."""

import pytest

from modelfile.catalog.licenses import license_names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("MIT", ("MIT",)),
        ("apache-2.0", ("Apache-2.0",)),
        (f"{' ' * 33}Apache License\n{' ' * 27}Version 2.0, January 2004\n", ("Apache-2.0",)),
        ("Permission is hereby granted, free of charge, to any person obtaining a copy of this", ("MIT",)),
        ("META LLAMA 3 COMMUNITY LICENSE AGREEMENT\nMeta Llama 3 Version …", ("Llama 3 Community License",)),
        ("**LLAMA 3.2 COMMUNITY LICENSE AGREEMENT**\n\nMIT", ("Llama 3.2 Community License", "MIT")),
        ("GNU GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007", ("GPL-3.0",)),
        ("gpl-2.0-or-later", ("GPL-2.0",)),
        ("Creative Commons Attribution-NonCommercial 4.0 International Public License", ("CC-BY-NC-4.0",)),
        ("Qwen RESEARCH LICENSE AGREEMENT", ("Qwen Research License",)),
        ("", ()),
        ("Made by us. No MIT here.", ()),
        ("MIT - for our own use", ()),
        ('Licensed under the Apache License, Version 2.0 (the "License");', ()),
        ("Llama 9.9 Community License", ()),
    ],
)
def test_a_license_is_known_by_its_title(text: str, names: tuple[str, ...]) -> None:
    assert license_names(text) == names


def test_a_title_far_inside_a_text_is_not_looked_for() -> None:
    assert license_names("x\n" * 200_000 + "MIT") == ()
