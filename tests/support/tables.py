"""Documents that are made from declarations. ``python -m tests.support.tables`` writes them anew."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ensemble.cli.listing import TASKS
from ensemble.cli.start import everything
from ensemble.pipeline import guide
from ensemble.pipeline.steps import Step, describe
from postproc import STEPS
from postproc.base.lists import takes_lists, takes_lists_alone

ROOT = Path(__file__).parents[2]
TECHNIQUES, PAGE = ROOT / "docs" / "techniques.md", ROOT / "docs" / "steps.md"
NEIGHBOURS, COMMANDS = ROOT / "docs" / "neighbours.md", ROOT / "docs" / "commands.md"
LISTS_BEGIN, LISTS_END = "<!-- made by python -m tests.support.tables -->", "<!-- end -->"
ROW = re.compile(r"(?<!\\)\|")
WORDS = {  # what a column of a table, or a file, is called in docs/steps.md; features and distances need no word
    "cam": "cameras",
    "cam_group": "camera groups",
    "cam_prob": "camera probabilities",
    "track": "tracks",
    "order": "places in tracks",
    "frame": "frames",
    "scene": "scenes",
    "quality": "quality",
    "aux": "a side model",
}


def techniques() -> str:
    """docs/techniques.md as it should be."""
    return "\n".join(guide.steps_table()) + "\n"


def page(text: str) -> str:
    """docs/steps.md with the columns *needs* and *CUDA* of its tables of steps as the steps declare them."""
    known, lines, within = {step.__name__: describe(step) for step in STEPS}, [], False
    for line in text.splitlines():
        within = line.startswith("| step |") or (within and line.startswith("|"))
        cells = ROW.split(line)[1:-1] if within else []
        named = [known[name] for name in re.findall(r"`(\w+)`", cells[0]) if name in known] if cells else []
        if named:
            cells[2], cells[3] = f" {needs(named)} ", f" {cuda(named)} "
            line = f"|{'|'.join(cells)}|"
        lines.append(line)
    return "\n".join(lines) + "\n"


def neighbours(text: str) -> str:
    """docs/neighbours.md with its table of steps as their signatures and descriptions say it."""
    return _filled(text, _lists_table())


def commands(text: str) -> str:
    """docs/commands.md with its tables of commands as their files say it."""
    return _filled(text, _commands_tables())


def _filled(text: str, lines: Iterable[str]) -> str:
    """A document with these lines where it says that they are made."""
    before, _, rest = text.partition(LISTS_BEGIN)
    _, _, after = rest.partition(LISTS_END)
    return f"{before}{LISTS_BEGIN}\n\n{chr(10).join(lines)}\n\n{LISTS_END}{after}"


def _commands_tables() -> Iterator[str]:
    known = everything()
    for task in TASKS:
        if task != TASKS[0]:
            yield ""
        yield f"| {task} | | for example |"
        yield "|---|---|---|"
        for command in known:
            if command.task == task:
                example = command.example.replace(f"python -m {command.module}", f"reid-ensemble {command.name}")
                yield f"| `{command.name}` | {command.about} | `{example}` |"


def _lists_table() -> Iterator[str]:
    yield "| step | beside features | alone | which lists |"
    yield "|---|---|---|---|"
    for step in sorted(STEPS, key=lambda step: (describe(step).family, step.__name__)):
        beside, alone = takes_lists(step), takes_lists_alone(step)
        if beside or alone:
            which = guide.entry(step, "neighbours") or "lists of one set, of any number of others"
            words = ("yes" if takes else "no" for takes in (beside, alone))
            yield f"| `{step.__name__}` | {' | '.join(words)} | {guide.markdown(which)} |"


def named(text: str) -> set[str]:
    """Every step that a table of docs/steps.md names."""
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    words = {word for row in rows for word in re.findall(r"`(\w+)`", ROW.split(row)[1])}
    return words & {step.__name__ for step in STEPS}


def needs(steps: Iterable[Step]) -> str:
    """What these steps need beside features and distances, in brackets what they may use."""
    required = dict.fromkeys(word for step in steps for name in step.needs for word in _word(name))
    optional = dict.fromkeys(word for step in steps for name in step.may_use for word in _word(name))
    also = [word for word in optional if word not in required]
    return " ".join(filter(None, (", ".join(required), f"({', '.join(also)})" if also else "")))


def cuda(steps: Iterable[Step]) -> str:
    """Which of these steps take CUDA tensors: yes, none, or their names."""
    listed = list(steps)
    taking = [step for step in listed if not step.host_only]
    return "yes" if len(taking) == len(listed) else ", ".join(f"`{step.name}`" for step in taking)


def _word(name: str) -> list[str]:
    side, _, column = name.partition("_")
    if side == "train":
        words = {"": "train images", "pid": "train labels", "aux": "a side model of train"}
        return [words.get(column) or f"train {WORDS[column]}"]
    if column == "distances":
        return ["matrices"]
    return [WORDS[column]] if column else []


if __name__ == "__main__":
    TECHNIQUES.write_text(techniques(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    NEIGHBOURS.write_text(neighbours(NEIGHBOURS.read_text(encoding="utf-8")), encoding="utf-8")
    COMMANDS.write_text(commands(COMMANDS.read_text(encoding="utf-8")), encoding="utf-8")
    print(TECHNIQUES, PAGE, NEIGHBOURS, COMMANDS, sep="\n")
