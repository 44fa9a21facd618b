"""Licenses of models, recognized by their titles; names are those of SPDX, or else of the license itself."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Final

_TITLES: Final = (
    (r"apache license[,\s]+version 2(?:\.0)?\b.*|apache(?: license)?[ -]?2(?:\.0)?", "Apache-2.0"),
    (r"(?:the )?mit(?: licen[cs]e)?(?: \(mit\))?|permission is hereby granted, free of charge, to any person.*", "MIT"),
    (r"(?:meta )?llama ([234](?:\.\d)?) community license(?: agreement)?", "Llama {} Community License"),
    (r"gemma terms of use", "Gemma Terms of Use"),
    (
        r"(?:creative commons )?attribution-noncommercial(?: 4\.0)? international.*|cc[- ]by[- ]nc[- ]4\.0",
        "CC-BY-NC-4.0",
    ),
    (r"(?:creative commons )?attribution 4\.0 international.*|cc[- ]by[- ]4\.0", "CC-BY-4.0"),
    (r"deepseek (?:model )?license agreement", "DeepSeek License Agreement"),
    (r"tongyi qianwen license agreement", "Tongyi Qianwen License"),
    (r"qwen research license agreement", "Qwen Research License"),
    (r"qwen license agreement", "Qwen License"),
    (r"mistral (?:ai )?research license", "Mistral Research License"),
    (r"mistral (?:ai )?non-production license", "Mistral AI Non-Production License"),
    (r"nvidia open model license(?: agreement)?", "NVIDIA Open Model License"),
    (r"falcon(?: \d+b)? (?:llm )?(?:tii )?license.*", "Falcon LLM License"),
    (r"exaone ai model license agreement.*", "EXAONE AI Model License Agreement"),
    (r"lfm open license v1\.0", "LFM Open License v1.0"),
    (r"bigcode openrail-m.*", "BigCode OpenRAIL-M"),
    (r"gnu affero general public license\s+version 3.*|agpl-3\.0(?:-only|-or-later)?", "AGPL-3.0"),
    (r"gnu lesser general public license\s+version 3.*|lgpl-3\.0(?:-only|-or-later)?", "LGPL-3.0"),
    (r"gnu general public license\s+version ([23]).*|gpl-([23])\.0(?:-only|-or-later)?", "GPL-{}.0"),
    (r"bsd 3-clause license|bsd-3-clause", "BSD-3-Clause"),
    (r"bsd 2-clause license|bsd-2-clause", "BSD-2-Clause"),
)
"""Patterns of a license's title in lower case, alone on one line or two, and its name, in which `{}` is the version."""
_START: Final = re.compile(
    "apache|the|mit|permission|meta|llama|gemma|creative|attribution|cc|deepseek|tongyi|qwen|mistral|nvidia|falcon"
    "|exaone|lfm|bigcode|gnu|agpl|lgpl|gpl|bsd"
)
"""The words that titles begin with."""


_MOST: Final = 200_000
"""Number of characters of a text in which titles are looked for."""
_LONGEST_LINE: Final = 1_000


def license_names(text: str) -> tuple[str, ...]:
    r"""Return the names of the licenses whose titles are in a text, in its order; none if it has no known title.

    >>> license_names("LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\nLlama 3.2 Version Release Date: …\n\nMIT")
    ('Llama 3.2 Community License', 'MIT')
    """
    found: dict[str, None] = {}
    lines = [line.strip(" \t\r#*=-").lower() for line in text[:_MOST].split("\n") if len(line) < _LONGEST_LINE]
    lines = [*filter(None, lines)]
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        if not _START.match(line):
            continue
        for pattern, name in _TITLES:
            if title := re.fullmatch(pattern, line) or re.fullmatch(pattern, f"{line} {following}"):
                found[name.format(next(filter(None, title.groups()), ""))] = None
                break
    return tuple(found)
