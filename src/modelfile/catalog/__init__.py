"""Facts about Ollama by version: what Modelfiles accept, since which release and until which."""

# Where to add a fact; each has its source: the release and file it was read in, or the version it was measured on.
#
# - A parameter: an entry in parameters/loading.py (`Runner` in Ollama's api/types.go) or in parameters/sampling.py
#   (`Options`).
# - An instruction: an entry in instructions.py, a node class and its entry in `WORDS` in syntax/nodes.py, and its word
#   in both lists of syntax/modelfile.lark; a test compares them.
# - A quantization: an entry in quantizations.py.
# - A model or a format of turn markers: a line in families.json.
# - A template function: an entry in templates.py.
# - A version: `NEWEST` in versions.py, once the source of that release has been compared with every table here.
# - Any other behavior that depends on the version: a constant in behaviors.py.
