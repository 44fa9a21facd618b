"""The layers of a model by what they remember of earlier tokens, read from its header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from modelfile.catalog import engines

if TYPE_CHECKING:
    from modelfile.catalog.engines import CacheLayout
    from modelfile.catalog.versions import Version
    from modelfile.weights.header import GGUFHeader

_MAX_LAYERS: Final = 4096
"""As many as `GGUFHeader.lists` has elements of a list; the largest known models have some hundreds."""
_INTERVAL: Final = 4


class Layers(NamedTuple):
    """The layers of a model, by what they remember."""

    whole: list[int]
    """Elements of keys and values of a token, for each layer that sees the whole context."""
    sliding: list[int]
    """The same for each layer that sees a window."""
    window: int
    """Tokens of the window."""
    states: list[int]
    """Numbers in each state of a fixed size, of one request."""


def head_count(header: GGUFHeader) -> int:
    """Return the number of heads of the layer that has most; 0 if the header does not say it."""
    return max(_by_layer(header, "attention.head_count", 1) or [0])


def kv_head_count(header: GGUFHeader) -> int:
    """Return the number of heads of keys and values of the layer that has most; 0 if the header does not say it."""
    return max(_kv_heads(header, 1) or [0])


def key_length(header: GGUFHeader) -> int:
    """Return the length of a key; 0 if the header does not say it."""
    return count_of(header, "attention.key_length") or _usual_length(header)


def hidden_size(header: GGUFHeader) -> int:
    """Return the width of the feed-forward network, or of all experts that are used for a token, if that is larger."""
    experts = count_of(header, "expert_used_count") * count_of(header, "expert_feed_forward_length")
    return max(*(_by_layer(header, "feed_forward_length", 1) or [0]), experts)


def read_layers(header: GGUFHeader, version: Version, *, pads_values: bool) -> Layers | None:
    """Return what the layers of a model remember; None if that is not known.

    Args:
        header: The header of its weights.
        version: The release of Ollama that runs it.
        pads_values: True without flash attention, when newer releases give the values of all layers the same room.
    """
    layout = engines.cache_layout(header.architecture, version)
    count = header.number("block_count") - count_of(header, "nextn_predict_layers")
    if layout is None or not 0 < count <= _MAX_LAYERS:
        return None
    if layout.cacheless:
        return Layers([], [], 0, [])
    heads = _kv_heads(header, count)
    recurrent = _recurrent(header, layout, count, heads)
    state = _state(header) if recurrent and any(recurrent) else 0
    if recurrent is None or state is None:
        return None
    states = [state] * sum(recurrent)
    if layout.recurrent == "all":
        return Layers([], [], 0, states)
    window, slides = _windows(header, layout, count)
    lengths = _lengths(header)
    if heads is None or slides is None or lengths is None:
        return None
    whole, sliding = list[int](), list[int]()
    cached = layout.cached or count - (count_of(header, "attention.shared_kv_layers") if layout.shared else 0)
    values = [each * lengths[slide][1] for each, slide in zip(heads, slides, strict=True)]
    # Without flash attention, values are transposed, and all layers get the room of the largest (llama-kv-cache.cpp).
    padded = max(values) if pads_values and version >= engines.SLIDES_WINDOWS and not _own(header, version) else 0
    for layer in range(min(count, cached)):
        if recurrent[layer] and layout.recurrent != "both":
            continue
        if not heads[layer] and (layout.recurrent or not padded):
            continue
        value = 0 if _is_latent(header, version) else max(values[layer], padded)
        size = heads[layer] * lengths[slides[layer]][0] + value
        (sliding if slides[layer] else whole).append(size)
    return Layers(whole, sliding, window, states)


def _own(header: GGUFHeader, version: Version) -> bool:
    return engines.runs_in_own_engine(header.architecture, version)


def _is_latent(header: GGUFHeader, version: Version) -> bool:
    """Return whether values are made of the keys (multi-head latent attention), and have no room of their own."""
    return version >= engines.LLAMA_SERVER and count_of(header, "attention.key_length_mla") > 0


def count_of(header: GGUFHeader, key: str) -> int:
    """Return the number of a key; 0 if there is none, or a negative one."""
    return max(header.number(key), 0)


def _by_layer(header: GGUFHeader, key: str, count: int) -> list[int] | None:
    """Return the numbers of a key that is one number for all layers, or a list; None if it is neither."""
    name = f"{header.architecture}.{key}"
    if (values := header.lists.get(name)) is not None:
        return [max(int(value), 0) for value in values if isinstance(value, int)]
    return [count_of(header, key)] * count if name in header.metadata else None


def _kv_heads(header: GGUFHeader, count: int) -> list[int] | None:
    """Return the number of heads of keys and values of each layer; None if the header does not say them all."""
    heads = _by_layer(header, "attention.head_count_kv", count)
    if heads is None:
        heads = _by_layer(header, "attention.head_count", count)
    return heads[:count] if heads and len(heads) >= count else None


def _lengths(header: GGUFHeader) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the lengths of a key and a value in layers that see the whole context, and in those with a window."""
    key, value = key_length(header), count_of(header, "attention.value_length") or _usual_length(header)
    if not key or not value:
        return None
    return (key, value), (
        count_of(header, "attention.key_length_swa") or key,
        count_of(header, "attention.value_length_swa") or value,
    )


def _usual_length(header: GGUFHeader) -> int:
    """Return the length of keys and values of which the header says none: that of the first layer (llama-model.cpp)."""
    heads = (_by_layer(header, "attention.head_count", 1) or [0])[0]
    return count_of(header, "embedding_length") // heads if heads else 0


def _windows(header: GGUFHeader, layout: CacheLayout, count: int) -> tuple[int, list[bool] | None]:
    """Return the tokens of the sliding window, and the layers that have one; None if that is not known."""
    stated = count_of(header, "attention.sliding_window")
    window = stated or layout.window
    if layout.fixed_window:  # the header can only switch it off
        window = (
            layout.window if stated or f"{header.architecture}.attention.sliding_window" not in header.metadata else 0
        )
    if not layout.every or not window:
        return 0, None if layout.pattern else [False] * count
    name = f"{header.architecture}.attention.sliding_window_pattern"
    if (listed := header.lists.get(name)) is not None:
        return window, [bool(value) for value in listed[:count]] if len(listed) >= count else None
    if layout.pattern:
        return window, None
    every = count_of(header, "attention.sliding_window_pattern") or layout.every
    seen = 0 if layout.full_first else every - 1
    return window, [layer % every != seen for layer in range(count)]


def _recurrent(header: GGUFHeader, layout: CacheLayout, count: int, heads: list[int] | None) -> list[bool] | None:
    """Return which layers have a state of a fixed size; None if the header does not say it."""
    match layout.recurrent:
        case "":
            return [False] * count
        case "all" | "both":
            return [True] * count
        case "interval":
            if (listed := header.lists.get(f"{header.architecture}.attention.recurrent_layers")) is not None:
                return [bool(value) for value in listed[:count]] if len(listed) >= count else None
            every = count_of(header, "full_attention_interval") or _INTERVAL
            return [layer % every != every - 1 for layer in range(count)]
        case _:
            idle = [0] * count if layout.recurrent == "headless" else _by_layer(header, "feed_forward_length", count)
            if heads is None or idle is None or len(idle) < count:
                return None
            return [not each and not busy for each, busy in zip(heads, idle[:count], strict=True)]


def _state(header: GGUFHeader) -> int | None:
    """Return the numbers in the state of one layer (`n_embd_r`, `n_embd_s` in llama-hparams.cpp); None if not known."""
    if short := count_of(header, "shortconv.l_cache"):
        return count_of(header, "embedding_length") * (short - 1) or None
    inner, size = count_of(header, "ssm.inner_size"), count_of(header, "ssm.state_size")
    kernel = count_of(header, "ssm.conv_kernel")
    if not inner or not size or not kernel:
        return None
    return (kernel - 1) * (inner + 2 * count_of(header, "ssm.group_count") * size) + size * inner
