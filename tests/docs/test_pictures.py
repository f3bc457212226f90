"""The pictures in README.md and docs, which `make pictures` creates; test_walk.py checks a text."""

from pictures import PAGES, PICTURES
from support.generated import ROOT


def test_each_picture_exists_and_is_shown():
    shown = "".join(page.read_text() for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
    made = {"terminal.svg", *(name for name, *_ in PAGES)}

    assert {picture.name for picture in PICTURES.iterdir()} == made
    assert [name for name in made if f"pictures/{name}" not in shown] == []
