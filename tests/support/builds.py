"""Build requests of recipes that come from no Modelfile."""

from modelfile.builder.execute import BuildRequest
from modelfile.events import Events, ignore
from modelfile.names import ModelName
from modelfile.recipe.recipe import Recipe
from modelfile.weights.digests import digests_of


def build_request(name: ModelName, recipe: Recipe, events: Events = ignore) -> BuildRequest:
    """Return the request to build a recipe, whose files are hashed."""
    return BuildRequest(name=name, recipe=recipe, digests=digests_of(recipe.local_files, events))
