"""Languages of texts, and those that prompts ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelfile.linter.languages import _names, _names_none, asked_language, language_of

RUSSIAN = (
    "\u041e\u0442\u0432\u0435\u0447\u0430\u0439 \u0432\u0441\u0435\u0433\u0434\u0430 "
    "\u043d\u0430 \u0440\u0443\u0441\u0441\u043a\u043e\u043c"
)


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        ("You help. Always answer in German.", "German"),
        ("Respond only in French, please.", "French"),
        ("Your answers must be in Spanish.", "Spanish"),
        ("Antworte immer auf Deutsch.", "German"),
        ("Réponds toujours en français.", "French"),
        ("Responde siempre en español.", "Spanish"),
        ("Rispondi sempre in italiano.", "Italian"),
        ("Responda sempre em português.", "Portuguese"),
        ("请用中文回答。", "Chinese"),
        (f"{RUSSIAN}.", "Russian"),
        ("Translate English to German. Answer in German.", None),
        ("If the user writes German, answer in German.", None),
        ("Never answer in German.", None),
        ("You teach German.", None),
        ("Answer in English or French.", None),
        ("Answer in Germany.", None),
    ],
)
def test_only_one_language_without_a_condition_is_asked_for(prompt: str, language: str | None) -> None:
    assert asked_language(prompt) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The bill is due on the first of the month.", "English"),
        ("Die Rechnung ist am Ersten des Monats fällig und wird nicht verschickt.", "German"),
        ("La facture est due le premier jour du mois.", "French"),
        ("La factura es para el primer día del mes.", "Spanish"),
        ("账单在每月的第一天到期。", "Chinese"),
        ("請求書は毎月一日が期限です。", "Japanese"),
        ("청구서는 매월 1일에 만기됩니다.", "Korean"),
        ("OK", None),
        ("def f(x): return x", None),
        ("```\nthe and is are you\n```", None),
        ("Berlin, Paris, Rom", None),
    ],
)
def test_language_of_a_text_is_known_if_it_is_sure(text: str, language: str | None) -> None:
    assert language_of(text) == language


@given(st.from_regex(_names()))
def test_each_name_of_a_language_passes_the_filter(text: str) -> None:
    assert not _names_none(text.replace("\u017f", "s"))  # a long s is an s without regard to case
