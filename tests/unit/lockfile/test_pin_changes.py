"""Changes of a lock by meaning."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from modelfile.differ.comparison import Category, Impact
from modelfile.lockfile.lock import Base, Lock, Pin
from modelfile.lockfile.pin_changes import compare_locks

DIGESTS = [f"sha256:{digit * 64}" for digit in "123"]
FINGERPRINTS = [f"mf1:{digit * 64}" for digit in "123"]
BASE = Base(written="a:v1", name="registry.ollama.ai/library/a:v1", fingerprint=FINGERPRINTS[0], digest=DIGESTS[0])
PIN = Pin(text=DIGESTS[0], base=BASE, files={"w": DIGESTS[0]}, fingerprint=FINGERPRINTS[0])
PINS = st.builds(
    Pin,
    text=st.sampled_from(DIGESTS),
    base=st.none() | st.sampled_from([BASE, replace(BASE, fingerprint=FINGERPRINTS[1]), replace(BASE, resolved="x")]),
    files=st.dictionaries(st.sampled_from("ab"), st.sampled_from(DIGESTS)),
    fingerprint=st.none() | st.sampled_from(FINGERPRINTS),
    built=st.none() | st.lists(st.sampled_from(DIGESTS), min_size=1, max_size=2).map(tuple),
)
LOCKS = st.builds(Lock, modelfiles=st.dictionaries(st.sampled_from(["a/Modelfile", "b/Modelfile"]), PINS))


def changes(old: Pin | None, new: Pin | None) -> list[tuple[str, object, object]]:
    locks = (Lock(modelfiles={"bot/Modelfile": pin} if pin else {}) for pin in (old, new))
    return [(change.title, change.old, change.new) for change in compare_locks(*locks)]


def test_each_part_of_a_pin() -> None:
    assert changes(PIN, PIN) == []
    assert changes(None, PIN) == [("pin bot/Modelfile", None, FINGERPRINTS[0])]
    assert changes(replace(PIN, fingerprint=None), None) == [("pin bot/Modelfile", "without a fingerprint", None)]
    moved = replace(PIN, base=replace(BASE, fingerprint=FINGERPRINTS[1]), fingerprint=FINGERPRINTS[2])
    assert changes(PIN, moved) == [
        ("pinned-base bot/Modelfile", f"a:v1 {FINGERPRINTS[0]}", f"a:v1 {FINGERPRINTS[1]}"),
        ("pinned-fingerprint bot/Modelfile", FINGERPRINTS[0], FINGERPRINTS[2]),
    ]
    made = replace(PIN, base=replace(BASE, modelfile="base/Modelfile", digest=None))
    assert changes(PIN, made)[0][2] == f"a:v1 built from base/Modelfile {FINGERPRINTS[0]}"
    assert changes(PIN, replace(PIN, base=None, files={"x": DIGESTS[1]})) == [
        ("pinned-base bot/Modelfile", f"a:v1 {FINGERPRINTS[0]}", None),
        ("pinned-file bot/Modelfile: w", DIGESTS[0], None),
        ("pinned-file bot/Modelfile: x", None, DIGESTS[1]),
    ]
    assert changes(PIN, replace(PIN, built=(DIGESTS[1],), quantize=("q4_K_M",))) == [
        ("pinned-weights bot/Modelfile", None, (DIGESTS[1],)),
        ("pinned-quantization bot/Modelfile", None, ("q4_K_M",)),
    ]


def test_what_decides_on_no_model_is_cosmetic() -> None:
    old, new = (Lock(modelfiles={"a": pin}) for pin in (PIN, replace(PIN, text=DIGESTS[1])))
    (change,) = compare_locks(old, new)
    assert (change.category, change.impact, change.title) == (Category.COSMETIC, Impact.TEXT, "pin-record a")


@given(LOCKS, LOCKS)
def test_locks_differ_exactly_if_their_pins_do_and_both_directions_mirror_each_other(old: Lock, new: Lock) -> None:
    found = compare_locks(old, new)
    assert bool(found) == (old != new)
    assert compare_locks(new, old) == tuple(change.mirrored() for change in found)
