"""A pipeline as a value: views of the features, each a chain of steps, and what joins their distances.

A candidate is plain JSON::

    {"views": [{"models": ["a", "b"], "weights": [1, 0.5], "fusion": "concat",
                "steps": {"model": [{"use": "whiten", "power": 0.5}], "ranker": [...]}}],
     "shares": [1.0]}

``fusion`` is where models come together: "concat" before the distances, "distances" after them, or a join that
learns probabilities from training pairs, in the place of a ranker. Several views are
several branches, whose distances are added after each was brought to a mean of 0 and a deviation of 1 by query.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ensemble.pipeline.recipe import Recipe, parse
from ensemble.tune.pipelines.families import BEFORE, PLACES, PLAIN, UNIT, Family, Uses, place_of, text

Candidate = dict[str, Any]
View = dict[str, Any]

CONCAT, DISTANCES = "concat", "distances"
LEARNED: Mapping[str, Mapping[str, Any]] = {  # joins that learn from training pairs, in the place of a ranker
    "isotonic calibration": {"use": "calibrated", "method": "isotonic", "pairs": 200_000},
    "logistic calibration": {"use": "calibrated", "method": "logistic", "pairs": 200_000},
    "logistic stacking": {"use": "stacked", "method": "logistic"},
    "stacked trees": {"use": "stacked"},
}
FUSIONS = (CONCAT, DISTANCES, *LEARNED)
LATE = tuple(place for place in PLACES if place not in ("model", *BEFORE))


def plain(models: tuple[str, ...]) -> Candidate:
    """The cosine distance of all models side by side."""
    view = {"models": list(models), "weights": [1.0] * len(models), "fusion": CONCAT, "steps": {}}
    return {"views": [view], "shares": [1.0]}


def key(candidate: Candidate) -> str:
    """One text for one candidate."""
    return json.dumps(candidate, sort_keys=True)


def changed(candidate: Candidate, **parts: Any) -> Candidate:
    """The candidate with another value in its first view: ``models``, ``weights``, ``fusion``."""
    first, *others = candidate["views"]
    return {**candidate, "views": [{**first, **parts}, *others]}


def placed(candidate: Candidate, place: str, uses: Uses) -> Candidate:
    """The candidate with these steps at a place, none where ``uses`` is empty; late places are of the whole."""
    steps = {name: found for name, found in candidate["views"][0]["steps"].items() if name != place}
    if uses:
        steps[place] = [dict(use) for use in uses]
    return changed(candidate, steps=dict(sorted(steps.items(), key=lambda item: tuple(PLACES).index(item[0]))))


def at(candidate: Candidate, place: str) -> Uses:
    """The steps at a place of the first view."""
    return tuple(candidate["views"][0]["steps"].get(place, ()))


def beside(candidate: Candidate, other: Candidate, share: float) -> Candidate:
    """The candidate with the first view of another as one more view."""
    view = other["views"][0]
    steps = {place: uses for place, uses in view["steps"].items() if place not in LATE}
    return {
        "views": [*candidate["views"], {**view, "steps": steps}],
        "shares": [*candidate["shares"], share],
    }


def size(candidate: Candidate) -> int:
    """How much there is to a pipeline: its steps, further views, weights; of equal scores the smaller is taken."""
    steps = sum(len(uses) for view in candidate["views"] for uses in view["steps"].values())
    weights = sum(weight != 1 for view in candidate["views"] for weight in view["weights"])
    apart = sum(view["fusion"] != CONCAT for view in candidate["views"])
    return steps + weights + apart + 3 * (len(candidate["views"]) - 1)


def words(candidate: Candidate) -> str:
    """For the eye, in the order of the recipe."""
    said = []
    for share, view in zip(candidate["shares"], candidate["views"], strict=True):
        pairs = zip(view["models"], view["weights"], strict=True)
        models = " + ".join(name if weight == 1 else f"{weight:g} {name}" for name, weight in pairs)
        steps = [text(tuple(view["steps"][place])) for place in PLACES if place in view["steps"]]
        fusion = {CONCAT: "", DISTANCES: "distances added"}.get(view["fusion"], view["fusion"])
        apart = [fusion] if fusion and len(view["models"]) > 1 else []
        said.append(("" if share == 1 else f"{share:g} x ") + "; ".join([models, *steps, *apart]))
    return " || ".join(said)


def content(candidate: Candidate, base: Mapping[str, Any]) -> dict[str, Any]:
    """The candidate as the nested dictionary of a recipe; ``base`` has what stands at its top."""
    views = candidate["views"]
    first = views[0]["steps"]
    late = [use for place in LATE for use in first.get(place, ())]
    found: dict[str, Any] = {**base, "branch": [_branch(view) for view in views], "steps": late}
    if len(views) > 1:
        found["join"] = {"use": "weighted_sum", "weights": list(candidate["shares"]), "scaling": "z-score"}
    return found


def recipe(candidate: Candidate, base: Mapping[str, Any], name: str) -> Recipe:
    """The recipe that a candidate stands for."""
    return parse(content(candidate, base), name)


def of_recipe(found: Recipe, models: tuple[str, ...], rows: Sequence[Family]) -> Candidate | None:
    """A recipe of one branch of features side by side as a candidate; None where a step has no place."""
    if len(found.branches) != 1 or found.auxiliary or found.branches[0].auxiliary or found.branches[0].only:
        return None
    (branch,) = found.branches
    if branch.join is not None and branch.join.as_toml() != {"use": CONCAT}:
        return None
    candidate = plain(models)
    for uses, fixed in ((branch.each, "model"), (branch.steps, None), (found.steps, None)):
        for use in uses:
            written = {name: item for name, item in use.as_toml().items() if name != "optional"}
            place = fixed or place_of(use.name, rows)
            if written == UNIT or written == PLAIN[0]:
                continue
            if place is None:
                return None
            there = at(candidate, place)
            if there and place in PLACES and place != "constraints":
                return None
            tail = (UNIT,) if use.name in ("learned_metric", "learned_whitening") else ()
            candidate = placed(candidate, place, (*there, written, *tail))
    return candidate


def _branch(view: View) -> dict[str, Any]:
    steps, models = view["steps"], view["models"]
    each = [UNIT, *steps.get("model", ())]
    if steps.get("model") and each[-1] != UNIT:
        each.append(UNIT)
    images = [use for place in BEFORE[:-1] for use in steps.get(place, ())]
    then = [*images, *steps.get("ranker", PLAIN)]
    weighed = any(weight != 1 for weight in view["weights"])
    weights = {"weights": list(view["weights"])} if weighed else {}
    branch: dict[str, Any] = {"models": list(models)}
    if len(models) == 1:
        return branch | {"each": [*each, *then], "steps": []}
    if view["fusion"] in LEARNED:
        learned = dict(LEARNED[view["fusion"]])
        join = learned | (weights if learned["use"] == "calibrated" else {})
        return branch | {"each": [*each, *images], "join": join, "steps": []}
    if view["fusion"] == DISTANCES:
        join = {"use": "weighted_sum", "scaling": "z-score", **weights}
        return branch | {"each": [*each, *then], "join": join, "steps": []}
    return branch | {"each": each, "join": {"use": "concat", **weights}, "steps": then}
