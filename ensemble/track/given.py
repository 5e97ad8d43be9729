"""Everything that a user hands in: read, joined, checked, with all problems in one message."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ensemble import io
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Array
from ensemble.boxes import reading, tables
from ensemble.boxes.tables import Clocks, Window, Zone
from ensemble.boxes.value import Boxes
from ensemble.io import Folder
from ensemble.parsers import Parser
from ensemble.track import appearance, tracklets, travel
from ensemble.track.appearance import Appearance
from ensemble.track.recipe import ASSOCIATIONS, BY_PAIR, CLEANING, Recipe
from ensemble.track.value import Shots, World


@dataclass(frozen=True)
class Asked:
    """What is to be read. ``first_frame`` None: 0 where the tracks have a frame 0, else 1."""

    features: Path | Folder
    tracks: Sequence[Path]
    cameras: Path | None = None
    windows: Path | None = None
    zones: Path | None = None
    learn_from: Sequence[Path] = ()
    truth: Sequence[Path] = ()
    form: str | None = None
    fps: float = tables.FPS
    first_frame: int | None = None
    parser: Parser | None = None
    tracks_form: str | None = None

    @property
    def where(self) -> Path:
        """The folder of the features, or what messages call it."""
        return self.features.path if isinstance(self.features, Folder) else self.features


@dataclass(frozen=True, eq=False)
class Given:
    """What was read: the world of an association, truth for scores, what there is to say, and the files."""

    world: World
    first_frame: int
    truth: Boxes | None
    notes: list[str] = field(default_factory=list)
    inputs: Sequence[Path] = ()
    windows_from: str = "none"


def read(asked: Asked, recipe: Recipe | None, found: Sequence[str] = ()) -> Given:
    """Read everything; InputError with every problem of all files, behind those that were ``found`` before.

    recipe: None where it is one of the problems.
    """
    problems = list(found)
    notes: list[str] = []
    boxes = truth = taught = sets = None
    zones: list[Zone] = []
    windows: list[Window] = []
    clocks = Clocks(usual=asked.fps)
    with collecting(problems):
        boxes = reading.read(asked.tracks, form=asked.tracks_form)
    first = _first(asked, boxes)
    with collecting(problems):
        if asked.cameras is not None:
            clocks = tables.cameras(asked.cameras, usual=asked.fps, first=first)
        else:
            clocks = Clocks(usual=asked.fps, first=first)
    with collecting(problems):
        zones = tables.zones(asked.zones) if asked.zones is not None else []
    with collecting(problems):
        windows = tables.windows(asked.windows) if asked.windows is not None else []
    with collecting(problems):
        truth = reading.read(asked.truth, ignored=True) if asked.truth else None
    with collecting(problems):
        taught = reading.read(asked.learn_from, ignored=True) if asked.learn_from else None
    with collecting(problems):
        sets = _features(asked, notes)
    if boxes is not None:
        problems += _strange_cameras(asked, boxes, clocks, windows, zones, truth)
    if sets and recipe is not None:
        with collecting(problems):
            appearance.checked(recipe.appearance, [one.model for one in sets], asked.where)
    refuse_if_any(problems)
    assert boxes is not None
    assert sets is not None
    assert recipe is not None
    world = _world(asked, recipe, boxes, sets, clocks, zones, notes)
    world, whence = _with_windows(world, windows, taught, clocks, zones, recipe, asked)
    truth = None if truth is None else counted_alike(truth, first, notes)
    return Given(world, first, truth, notes, _inputs(asked), whence)


def _first(asked: Asked, boxes: Boxes | None) -> int:
    """What the first frame is called."""
    if asked.first_frame is not None:
        return asked.first_frame
    return 0 if boxes is not None and (boxes.frame == 0).any() else 1


def _features(asked: Asked, notes: list[str]) -> list[FeatureSet]:
    folder = io.scan(asked.features, parser=asked.parser)
    sets = io.read(folder)
    if not sets[0].one_set:
        raise InputError(
            [
                f"{asked.where}: wanted features of one set, images_MODEL or gallery_MODEL alone, found "
                "queries and a gallery; tracks are matched with each other"
            ]
        )
    notes += [note for note in (*folder.notes, *sets[0].notes) if ": one set: " not in note]  # as it should be
    return sets


def _strange_cameras(
    asked: Asked,
    boxes: Boxes,
    clocks: Clocks,
    windows: Sequence[Window],
    zones: Sequence[Zone],
    truth: Boxes | None,
) -> list[str]:
    """Tables that are about other cameras than the tracks."""
    known = set(boxes.cam.tolist())
    shown = examples(sorted(known), 8)
    found = []
    for path, cams in (
        (asked.cameras, set(clocks.offset)),
        (asked.windows, {cam for one in windows for cam in (one.start, one.end)}),
        (asked.zones, {zone.cam for zone in zones}),
        (asked.truth[0] if asked.truth else None, set(truth.cam.tolist()) if truth is not None else set()),
    ):
        if path is not None and cams and not cams & known:
            other = examples(sorted(cams), 8)
            found.append(
                f"{path}: wanted the cameras of the tracks ({shown}), found others ({other}); number them alike"
            )
    lacking = sorted(known - set(clocks.offset))
    if asked.cameras is not None and lacking and set(clocks.offset) & known:
        found.append(f"{asked.cameras}: wanted every camera of the tracks, found no {examples(lacking)}; add them")
    return found


def _world(
    asked: Asked,
    recipe: Recipe,
    boxes: Boxes,
    sets: Sequence[FeatureSet],
    clocks: Clocks,
    zones: Sequence[Zone],
    notes: list[str],
) -> World:
    made = tracklets.made(boxes, clocks, zones)
    where = str(asked.where)
    images = tracklets.named(sets[0].gallery_table, where)
    of = tracklets.joined(images, made, where, notes)
    rows = {one.model: one.gallery for one in sets}
    looks: dict[str, Array] = {
        model: tracklets.looks_of(made, images, of, found, **recipe.tracklets) for model, found in rows.items()
    }
    plan = appearance.checked(recipe.appearance, list(looks), asked.where)
    notes += plan.notes
    used = {model: looks[model] for model in plan.all_models}
    shots: Shots | None = tracklets.shots(of, [rows[model] for model in used]) if images.of_boxes else None
    return World(
        tracklets=made,
        models=used,
        known=tracklets.known(list(used.values())),
        looks=Appearance(plan, used, made, asked.fps),
        shots=shots,
        fps=asked.fps,
        notes=notes,
    )


def _with_windows(
    world: World,
    windows: Sequence[Window],
    taught: Boxes | None,
    clocks: Clocks,
    zones: Sequence[Zone],
    recipe: Recipe,
    asked: Asked,
) -> tuple[World, str]:
    """The world with travel windows, and where these are from."""
    whence = "none"
    if windows:
        whence = str(asked.windows)
    elif taught is not None:
        lesson = tracklets.made(taught, clocks, zones)
        windows = travel.labelled(lesson, lesson.track)
        whence = f"learned from the identities of {examples(list(asked.learn_from))}"
    elif recipe.travel is not None:
        windows = travel.unlabelled(world, **recipe.travel)
        whence = "learned without labels"
    if whence.startswith("learned"):
        if recipe.associate.name in BY_PAIR:
            windows = travel.direct(windows)
        world.notes.append(f"travel windows: {len(windows)} ordered pairs of cameras, {whence}")
    if recipe.associate.name in BY_PAIR and not windows:
        raise InputError(
            [
                f"{recipe.name} ({recipe.associate.name}): wanted travel windows between cameras, found none "
                f"({whence}); give them with --windows, or tracks with identities with --learn-from"
            ]
        )
    if recipe.associate.name == "votes" and not any(window.out or window.into for window in windows):
        world.notes.append(
            "votes: no window says by which zone one leaves or comes, so tracks of both directions are matched, "
            "and who has no partner gets one nevertheless; give --zones, and --windows with out and in"
        )
    return world.with_windows(windows), whence


def counted_alike(truth: Boxes, first: int, notes: list[str]) -> Boxes:
    """The truth with frames that count as the tracks' do."""
    theirs = 0 if (truth.frame == 0).any() else 1
    if theirs == first:
        return truth
    notes.append(
        f"truth: its frames are counted from {theirs}, those of the tracks from {first}: joined with that"
    )
    return Boxes(**{**vars(truth), "frame": truth.frame - theirs + first})


def _inputs(asked: Asked) -> list[Path]:
    tables_given = [path for path in (asked.cameras, asked.windows, asked.zones) if path is not None]
    return [asked.where, *asked.tracks, *tables_given, *asked.learn_from, *asked.truth]


def associated(world: World, recipe: Recipe) -> Array:
    """(t,) groups by the recipe's association and cleaning: -1 alone, -2 left out."""
    group = ASSOCIATIONS[recipe.associate.name](world, **recipe.associate.settings)
    for use in recipe.clean:
        group = CLEANING[use.name](world, group, **use.settings)
    found: Array = np.asarray(group, np.int64)
    return found
