"""The pictures in README.md: `make pictures` makes them, and a walk compares what they say."""

from pictures import PAGES, PICTURES
from support.generated import ROOT


def test_each_picture_is_there_and_shown_somewhere():
    shown = "".join(page.read_text() for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
    made = {"terminal.svg", *(name for name, *_ in PAGES)}

    assert {picture.name for picture in PICTURES.iterdir()} == made
    assert [name for name in made if f"pictures/{name}" not in shown] == []
