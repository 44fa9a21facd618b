"""The HTML of a comparison: well-formed, in ASCII, self-contained, and harmless whatever a prompt says."""

import re
from html.parser import HTMLParser

from hypothesis import given
from tests.laws.test_differ import MODELS

from modelfile.differ.comparison import ComparedSide, Comparison
from modelfile.differ.models import compare_models
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Message
from modelfile.report.html import comparisons_as_html

VOID = {"meta", "col"}
OLD = Model(system="You answer.\nBe nice to everybody here.\nBye.", license="MIT", parameters={"top_k": 1})
NEW = Model(
    system="You answer.\nBe <b>kind</b> to everybody here.\nSee you é.",
    messages=(Message("user", '"><script>alert(1)</script>'),),
)


class Page(HTMLParser):
    """A page: its tags are closed in order; the texts of its elements and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        self.seen.append((tag, dict(attrs)))
        self.open += [tag] if tag not in VOID else []

    def handle_endtag(self, tag: str) -> None:
        """Close the last element, which has to be this one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Add a text to the open element."""
        if data.strip():
            self.texts.append((self.open[-1], data))

    def of(self, tag: str) -> list[str]:
        """Return the texts of all elements of a kind."""
        return [text for found, text in self.texts if found == tag]


def html(old: Model, new: Model) -> str:
    changes = compare_models(old, new)
    sides = [ComparedSide(name=name, fingerprint=fingerprint(model)) for name, model in (("a<b", old), ("c", new))]
    return comparisons_as_html([Comparison(old=sides[0], new=sides[1], changes=changes, same=not changes)])


@given(MODELS, MODELS)
def test_every_page_is_well_formed_ascii(old: Model, new: Model) -> None:
    text = html(old, new)
    assert text.isascii()
    ids = [attributes["id"] for _, attributes in Page(text).seen if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_a_page_needs_nothing_else_and_runs_nothing() -> None:
    page = Page(html(OLD, NEW))
    policy = next(attributes for tag, attributes in page.seen if "http-equiv" in attributes)
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert {tag for tag, _ in page.seen}.isdisjoint({"script", "link", "img", "b", "iframe"})
    links = [str(attributes["href"]) for _, attributes in page.seen if "href" in attributes]
    assert links[0] == "#changes"
    assert {link[1:] for link in links} <= {attributes.get("id") for _, attributes in page.seen}


def test_words_that_differ_are_marked_in_their_cells() -> None:
    page = Page(html(OLD, NEW))
    assert page.of("del") == ["nice", "Bye"]
    assert page.of("ins") == ["<b>kind</b>", "See you é"]
    text = html(OLD, NEW)
    assert (
        '<tr role="row"><td role="cell" class="number removed">2</td><td role="cell" class="removed">Be '
        "<del>nice</del> to everybody here.</td>"
        '<td role="cell" class="number added">2</td><td role="cell" class="added">Be '
        "<ins>&lt;b&gt;kind&lt;/b&gt;</ins> to everybody here.</td></tr>"
    ) in text
    assert '<td role="cell" class="number same">1</td><td role="cell" class="same">You answer.</td>' in text
    assert '<td role="cell" class="added"><ins>See you &#233;</ins>.</td>' in text


def test_each_table_and_section_has_a_name_for_screen_readers() -> None:
    text = html(OLD, NEW)
    assert text.count("<table") == text.count("<caption") > 3
    assert text.count("<section") == text.count("<section aria-label=") == 3
    assert '<html lang="en">' in text
    assert '<nav aria-label="Categories">' in text
    assert Page(text).of("h1")
    assert len(re.findall("<th [^>]*scope=", text)) == text.count("<th ")


def test_the_same_model_has_no_category() -> None:
    text = html(OLD, OLD)
    assert "<p>Same model: mf1:" in text
    assert "<section" not in text
    assert "<nav" not in text


def test_a_newline_that_was_removed_does_not_count_as_a_line_of_the_other_side() -> None:
    text = html(Model(system="one two three\nfour five\nsix"), Model(system="one two three four five\nsix"))
    numbers = re.findall('class="number [a-z]+">([0-9]*)<', text)
    assert numbers == ["1", "1", "2", "", "3", "2"]


def test_a_long_text_is_folded() -> None:
    assert "<details open>" in html(Model(), Model(system="a\n" * 100))
    assert "<details>" in html(Model(), Model(system="a\n" * 300))
