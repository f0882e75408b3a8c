"""Links and paths in what people read: each leads somewhere. Prints what does not, one line each; exit 1 if any.

Looked at are all Markdown files that git knows, without their code blocks: relative links with their anchors, as GitHub
makes them of headings, and paths in backticks that begin with a folder of the project or of crates/.
"""

import itertools
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
# A path of the project, with {a,b} for several and * for many.
PATH = re.compile(r"[\w@.*{},-]+(?:/[\w@.*{},-]+)*/?")
ELSEWHERE = re.compile(r"https?:")


def prose(file):
    """A page without its code blocks, in which nothing is a heading or a link."""
    return re.sub(r"^```.*?^```", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(file):
    """The names of a page's headings: small letters, hyphens for spaces, and the second of a name has -1."""
    seen, names = {}, set()
    for heading in HEADING.findall(prose(file)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        count = seen[name] = seen.get(name, -1) + 1
        names.add(f"{name}-{count}" if count else name)
    return names


def of_a_link(page, link):
    """What is wrong with a relative link of a page; empty when nothing."""
    path, _, anchor = link.partition("#")
    goal = page.parent / path if path else page
    if not goal.exists():
        return "leads nowhere"
    if anchor and anchor not in anchors(goal):
        return "leads to no heading"
    return ""


def alternatives(text):
    """`a/{b,c}` as `a/b` and `a/c`."""
    parts = [part.strip("{}").split(",") for part in re.split(r"(\{[^}]*\})", text)]
    return ["".join(chosen) for chosen in itertools.product(*parts)]


def is_there(page, path):
    """In the project, in crates/ (as its pages say it for short), or beside the page or what it is in."""
    above = [place for place in page.parents if ROOT in (place, *place.parents)]
    return any(any(place.glob(path.rstrip("/"))) for place in (ROOT / "crates", *above))


def of_the_paths(page, text):
    """Paths of the project that are not there. A command is its first word; what is built does not count."""
    folders = {entry.name for place in (ROOT, ROOT / "crates") for entry in place.iterdir() if entry.is_dir()} - {
        "target"
    }
    for code in CODE.findall(text):
        word = code.split()[0] if code.split() else ""
        if "/" not in word or not PATH.fullmatch(word) or word.partition("/")[0] not in folders:
            continue
        yield from (path for path in alternatives(word) if not is_there(page, path))


def wrongs(page):
    text = prose(page)
    for link in LINK.findall(text):
        if not ELSEWHERE.match(link) and (fault := of_a_link(page, link)):
            yield f"{link} {fault}"
    yield from (f"there is no {path}" for path in of_the_paths(page, text))


def main():
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    pages = [ROOT / name for name in listed.splitlines()]
    links = sum(len(LINK.findall(prose(page))) for page in pages)
    found = [f"{page.relative_to(ROOT)}: {wrong}" for page in pages for wrong in wrongs(page)]
    print("\n".join(found) or f"{links} links of {len(pages)} pages")
    return bool(found) or not links


if __name__ == "__main__":
    sys.exit(main())
