"""All models of a plan: features, and what is distances already, of the same images in the same order."""

from ensemble import io
from ensemble.base.distances import TRAIN_DISTANCES, ModelSet
from ensemble.pipeline import given, joins
from ensemble.pipeline.plan import Plan


def read(checked: Plan) -> dict[str, ModelSet]:
    """The models of a plan by name, in its order. Raises InputError with every problem of the files.

    Cost: memory for all of them; matrices may be mapped from their files.
    """
    folder, missing = checked.folder, checked.recipe.missing
    models = list(checked.all_models)
    names = [model for model in models if model not in folder.given]
    distances = [model for model in models if model in folder.given]
    beside = [model for model in folder.joined if model not in folder.given][:1]  # they say what the images are
    features = io.read(folder, names or beside, missing=missing) if names or beside else []
    found: dict[str, ModelSet] = {one.model: one for one in features}
    if distances:
        described = [one for one in features if not one.auxiliary] or features
        recipe = checked.recipe
        uses = [use for use in (recipe.join, *(branch.join for branch in recipe.branches)) if use]
        found |= given.read(
            folder,
            distances,
            described,
            missing=missing,
            similarity=recipe.similarity,
            measured=any(TRAIN_DISTANCES in joins.needs(use.name) for use in uses),
        )
    return {model: found[model] for model in models}
