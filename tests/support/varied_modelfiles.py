"""Modelfiles of every form, and strategies for more, whose models Ollama and we must write alike."""

from hypothesis import strategies as st

FLOATS = ("temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty")
WHOLE = ("num_ctx", "num_batch", "num_gpu", "num_thread", "num_keep", "seed", "num_predict", "top_k", "repeat_last_n")
NUMBERS = (
    *("-0", "0", "1e-7", "1E5", ".5", "5.", "+0.5", "0x1p-2", "1e20", "1e21", "1e-6", "9.9999999e-7", "3.4028235e38"),
    *("1e-45", "1_000", "16777217", "0.1234567891", "9223372036854775807", "-9223372036854775808", "nan", "1e39"),
)
"""Numbers at the limits of 32-bit floats, of 64-bit integers and of Go's notations; Ollama rejects some."""
TEXTS = (
    'Say "hi" to <all> & sundry: é 中 😀',
    "line one\nline two\n\n  indented\n",
    "a\u2028b\u2029c\u00a0d\u200de\x7f",
    "tab\tand \\n and \\u0041",
    "x" * 100_000,
    "{{ .Prompt }}",
    "# no comment",
)
_LICENSES = "".join(f"LICENSE license {number}\n" for number in range(12)) + "LICENSE license 1\n"
_MESSAGES = "".join(f"MESSAGE user question <{n}>\nMESSAGE assistant answer & {n}\n" for n in range(5))
VARIED = (
    *(f"PARAMETER {FLOATS[n % len(FLOATS)]} {number}\n" for n, number in enumerate(NUMBERS[:13])),
    *(f"PARAMETER {name} {number}\n" for name, number in (("seed", NUMBERS[17]), ("num_predict", NUMBERS[18]))),
    *(f'SYSTEM """{text}"""\n' for text in TEXTS),
    *(f'LICENSE """{text}"""\n' for text in TEXTS[:3]),
    *(f'MESSAGE user """{text}"""\n' for text in TEXTS[:4]),
    "",
    'LICENSE ""\n',
    _LICENSES,
    _MESSAGES,
    'PARAMETER stop <a>\nPARAMETER stop "&"\nPARAMETER stop "\u2028"\nPARAMETER stop é\n',
    "PARAMETER use_mmap t\nPARAMETER mirostat 1\n",
    'TEMPLATE """{{ if .System }}<|s|>{{ .System }}{{ end }}\n{{ .Prompt }} & é"""\n',
    f"TEMPLATE {{{{ .Prompt }}}}\nSYSTEM x\n{_LICENSES}PARAMETER temperature 0.1\nPARAMETER num_ctx 4096\n{_MESSAGES}",
    "SYSTEM one\nSYSTEM two\nPARAMETER seed 1\nPARAMETER seed 2\nTEMPLATE a\nTEMPLATE b\n",
    "MESSAGE system be brief\nMESSAGE user hi\n",
    "PARAMETER temperature 1\nPARAMETER temperature 0.30000001\nPARAMETER num_gpu -1\n",
)
"""Modelfiles without FROM: Ollama accepts every one of them."""

_special = '<>&"\\\u2028\u2029\x7f\t\n\r\0\b\f\ufffdé😀{}#'
_characters = st.characters(exclude_categories=["Cs"]) | st.sampled_from(_special)
_texts = (
    st.text(_characters, max_size=30)
    | st.text(_characters, min_size=1, max_size=20).map(lambda text: text * 400)
    | st.sampled_from(["MIT", "", "  a ", *TEXTS])
)
_numbers = (
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.integers(-(2**63), 2**63 - 1).map(str)
    | st.decimals(allow_nan=False, allow_infinity=False, places=12).map(str)
    | st.from_regex(r"[+-]?[0-9]{1,12}(\.[0-9]{0,12})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
    | st.sampled_from(NUMBERS)
)
_quotes = st.sampled_from(['"""{}"""', '"{}"', "{}"])
_quoted = st.builds(str.format, _quotes, _texts)
_templates = st.sampled_from(["{{ .Prompt }}", "{{ .System }} <|x|>{{ .Prompt }}é", "{{ .Response }}", "{{ .Prompt"])
_lines = (
    st.builds("PARAMETER {} {}".format, st.sampled_from(FLOATS), _numbers)
    | st.builds("PARAMETER {} {}".format, st.sampled_from(WHOLE), st.integers(-(2**63), 2**63 - 1) | _numbers)
    | st.builds("PARAMETER stop {}".format, _quoted)
    | st.builds("PARAMETER use_mmap {}".format, st.sampled_from(["true", "F", "t", "0"]))
    | st.builds("SYSTEM {}".format, _quoted)
    | st.builds("TEMPLATE {}".format, st.builds(str.format, _quotes, _templates))
    | st.builds("LICENSE {}".format, _quoted)
    | st.builds("MESSAGE {} {}".format, st.sampled_from(["user", "assistant", "system"]), _quoted)
)
instructions = st.lists(_lines, max_size=8).map("\n".join)
"""Strategy for Modelfiles without FROM; Ollama rejects some of them."""
