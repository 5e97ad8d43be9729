"""Put together what the site is built from: ``python -m docs.site.gather FOLDER``.

Documents stand in the folder as they stand in the repository, so that their links lead the same way on GitHub and
on the site; beside them the pages that are made from the code. Nothing is written into the repository.
"""

import re
import shutil
import sys
from pathlib import Path

from docs.site import gains, pages

ROOT = Path(__file__).parents[2]
BESIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "bench/README.md")
NO_DOCUMENTS = ("site", "source", "*.sh", "*.py", "__pycache__")
TUTORIALS = "docs/tutorials"
LINK = re.compile(r"(\[([^\]]+)\]\(([^)\s#:]+)(?:#[^)\s]*)?\))")


def main(folder: Path) -> None:
    """Fill a folder that is not there yet."""
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns(*NO_DOCUMENTS))
    for name in BESIDE:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    first = (ROOT / "docs" / "site" / "index.rst").read_text(encoding="utf-8")
    (folder / "index.rst").write_text(navigation(first, folder), encoding="utf-8")
    for page in list(folder.rglob("*.md")):
        copy_linked(page, folder)
    pages.write(folder, gains.read())


def navigation(first: str, folder: Path) -> str:
    """The first page, with the tutorials that there are; without any, no heading for them."""
    found = "".join(f"   {TUTORIALS}/{path.stem}\n" for path in sorted((folder / TUTORIALS).glob("*.md")))
    head = ".. toctree::\n   :hidden:\n   :caption: Tutorials\n\n"
    return first.replace(".. tutorials\n", head + found if found else "")


def copy_linked(page: Path, folder: Path) -> None:
    """Files of the repository that a page links to and that are no documents, as a licence, come along.

    A link to a folder, which a site has nothing to show of, becomes its words.
    """
    text = page.read_text(encoding="utf-8")
    for whole, words, link in LINK.findall(text):
        there = (page.parent / link).resolve()
        if not there.is_relative_to(folder.resolve()):
            continue
        source = ROOT / there.relative_to(folder.resolve())
        if source.is_dir():
            page.write_text(text := text.replace(whole, words), encoding="utf-8")
        elif source.is_file() and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, there)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
