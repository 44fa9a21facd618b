"""`mf show`: the command and its options; each other form of output is a module of this package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from modelfile.cli.parameters import Argument, AsJson, Host, Option, StoreFolder
from modelfile.cli.show.sources import Options, WeightsOptions, name_only, names_weights, open_model
from modelfile.errors import NotFound, ServerUnreachable, UsageError
from modelfile.names import modelfile_at
from modelfile.report.terminal import current


def show(  # noqa: PLR0913  # each is an option
    name: Annotated[
        str, Argument(metavar="NAME", help="Model, digest, tag of the model here, Modelfile, weights or registry:NAME.")
    ],
    host: Host = None,
    store: StoreFolder = None,
    *,
    modelfile: Annotated[
        bool, Option("--modelfile", help="Print a Modelfile that builds the same model, as `mf init`.")
    ] = False,
    prompt: Annotated[str | None, Option(metavar="TEXT", help="Print the prompt that Ollama makes of TEXT.")] = None,
    messages: Annotated[
        str | None,
        Option(metavar="FILE", help="Print the prompt of the messages, or /api/chat request, in FILE or -."),
    ] = None,
    layers: Annotated[
        bool, Option("--layers", help="Print digest, config and layers of a model in a registry or a folder.")
    ] = False,
    raw: Annotated[
        bool, Option("--raw", help="Print the manifest of a model in a registry or a folder, to the byte.")
    ] = False,
    tensors: Annotated[bool, Option("--tensors", help="List the tensors of weights: name, shape, type, size.")] = False,
    values: Annotated[
        bool, Option("--values", help="With --tensors: count NaN, infinities and blocks of zeros.")
    ] = False,
    template: Annotated[bool, Option("--template", help="Print the chat template in weights, in Jinja.")] = False,
    sha256: Annotated[bool, Option("--sha256", help="Print the digests of weights.")] = False,
    everything: Annotated[bool, Option("--all", help="Print all defaults, and long texts whole.")] = False,
    memory: Annotated[
        str | None,
        Option("--memory", metavar="[SIZE]", help="Print the memory it needs, and what fits into SIZE, as in 24G."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what a model is, with the source of every value, or the exact prompt that it makes of a request.

    A value comes from a line of a Modelfile, from the base, the base of the base, and so on, from the weights, or is a
    default of the version of Ollama. The bases are those of the project, and those that the store recorded. Printed,
    too, is what is inherited and cannot be cleared, what makes the prompts (a template, a renderer, or the chat
    template inside the weights), and why the model has its capabilities.

    NAME may be a Modelfile too: printed is what a build would create on the base that the server has, or without a
    server on the base in mf.lock, with a warning if its TEMPLATE drops capabilities of the base, such as tools. Of
    local weights, some parts are known after a build only, which is said.

    registry:NAME is a model in its registry: no server is asked, and the weights are not read. lock:NAME is a base as
    mf.lock has it, model:NAME a model on the server, store:NAME a model in a folder, file:PATH a Modelfile, and
    git:REV:PATH a Modelfile at a revision of git. They win over a model of that name.

    For a prompt, NAME may be a folder with a Modelfile too; without a server, the base is that of mf.lock, and a
    warning says if it cannot be read, which may change the prompt. A Modelfile is rendered as the configured version of
    Ollama does (default: the server's, or the newest if no server answers), a model as the server's version does.
    Ollama drops the oldest messages, but for system messages and the last one, if the prompt has more tokens than
    num_ctx; that is not shown, because `mf` has no tokenizer.

    NAME may be weights too: a GGUF or safetensors file, a folder of them, or a repository as hf.co/USER/NAME, of which
    only the header is downloaded (model:hf.co/USER/NAME is the model on the server). Printed are architecture,
    parameters, quantization with the true bits per weight, context length and more, as far as they tell. --tensors,
    --template and --sha256 take any NAME, and look at the weights of the model. --values reads all weights of a local
    file, and exits 1 if some are no finite numbers.

    With --json, weights are {"weights": [{"name", "format", "kind", "architecture", "model", "parameters",
    "parameter_size", "quantization", "bits_per_weight", "context_length", "embedding_length", "layers", "heads",
    "kv_heads", "experts", "experts_used", "vocabulary", "tokenizer", "chat_template", "turns", "recognized",
    "undecided", "license", "author", "base_models", "size", "needed", "types", "missing", "sha256", "tensors"}, ...]};
    the schema is in docs/schema. With --template: {"chat_template", "turns", "recognized", "undecided"}.

    --memory prints the memory that the model needs, with each part and its formula at its num_ctx (default: that of
    Ollama's version), then the totals at other contexts, and whether it fits into SIZE (24G, 24GB and 24GiB are 24 x
    2^30 bytes; default: the GPUs of this machine, or its RAM): exact is computed as the engine does, estimated is near
    it, and unknown is never guessed. The version of Ollama is the server's, else the configured one, else the newest.

    Of a model that no store has, --memory and the plain output read a tag with size and quantization, as in
    llama3:8b-q4_K_M: a warning says why only the name is read, and the exit code is 0. Plain --json fails instead.

    With --memory and --json: {"models": [{"name", "architecture", "parameters", "quantization", "context_length",
    "ollama", "slots", "flash_attention", "num_ctx", "origin", "terms", "total", "exactness", "contexts", "memory",
    "place", "fits", "largest_context", "best_quantization"}, ...]}, in bytes; the schema is in docs/schema.

    With --prompt or --messages and --json: {"prompt", "ollama", "dropped_capabilities"}; ollama is the version that it
    is rendered for.

    With --json: {"name", "fingerprint", "digest", "weights", "adapters", "drafts", "parameters", "template", "system",
    "messages", "license", "renderer", "parser", "requires", "dropped_capabilities", "ollama", "bases", "unknown_base",
    "facts", "origins", "defaults", "prompt", "capabilities", "inherited", "undecided"}; all keys are always there. Of a
    Modelfile, name is its path and digest is null; fingerprint is null if only a build can tell. ollama is the version
    that counts, bases the names below the model, and unknown_base says why they end, or is null. facts are
    {"architecture", "parameters", "quantization", "context_length"} of the weights. origins has an object {"kind",
    "name", "line"} for each text, and for each of its licenses, files (by digest) and parameters; kind is modelfile,
    model or weights. defaults are the parameters that are not set; null if the server decides. prompt is {"kind",
    "name", "reason"}, where kind is template, renderer, chat-template, none or unknown; capabilities are {"name",
    "reason"}; inherited is {"replaceable", "added"}; undecided are the parts that only a build can tell.

    With --layers: {"name", "digest", "registry", "size", "config", "layers"}, where config and each layer are {"kind",
    "media_type", "digest", "size"}; of a model in a folder, it is "store" instead of "registry".
    """
    if everything and (modelfile, prompt, messages, layers, raw, memory) != (False, None, None, False, False, None):
        raise UsageError("--all cannot be used with another form of output")
    if memory is not None:
        if any((modelfile, prompt, messages, layers, raw, tensors, values, template, sha256)):
            raise UsageError("--memory cannot be used with another form of output")
        from modelfile.cli.show.memory import show_memory

        show_memory(name, (host, store), memory, as_json=as_json)
        return
    if layers or raw:
        if (modelfile, prompt, messages, raw and (layers or as_json)) != (False, None, None, False):
            raise UsageError("--layers and --raw cannot be used together or with another form of output")
        from modelfile.cli.show.layers import show_manifest

        show_manifest(name, (host, store), raw=raw, as_json=as_json)
        return
    if prompt is not None or messages is not None:
        if modelfile or (prompt is not None and messages is not None):
            raise UsageError("--prompt, --messages and --modelfile cannot be used together")
        from modelfile.cli.show.prompt import show_prompt

        show_prompt(name, (host, store), prompt=prompt, messages=messages, as_json=as_json)
        return
    wanted = WeightsOptions(tensors=tensors, values=values, template=template, sha256=sha256, as_json=as_json)
    if wanted.asked or (not modelfile and names_weights(name, (host, store))):
        from modelfile.cli.show.weights import show_weights

        show_weights(name, (host, store), wanted)
        return
    if modelfile:
        _export(name, (host, store), as_json=as_json)
        return
    _show_effective(name, (host, store), as_json=as_json, everything=everything)


def _show_effective(name: str, options: Options, *, as_json: bool, everything: bool) -> None:
    """Print a model, or what its name says of it if no store has it."""
    from modelfile.cli.show.effective import show_effective

    try:
        show_effective(name, options, as_json=as_json, everything=everything)
    except (NotFound, ServerUnreachable) as error:
        if as_json or modelfile_at(name, folder_is_model=True):
            raise
        named = name_only(name, error)
        from modelfile.report.weights import print_weights

        print_weights(named.name, named.facts, current.get())
        current.get().print(f"  {'memory':<15}`mf show {name} --memory` estimates it")


def _export(name: str, options: Options, *, as_json: bool) -> None:
    """Print a Modelfile of a model."""
    from modelfile.cli.init import modelfile_of

    if as_json:
        raise UsageError("--modelfile cannot be used with --json")
    if modelfile_at(name, folder_is_model=True):
        raise UsageError(f"--modelfile needs a model: `{name}` is a file")
    with open_model(name, options) as (stored, opened):
        current.get().write_content(modelfile_of(stored, opened, Path()))
