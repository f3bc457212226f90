"""The pictures in README.md show what is: `make pictures` makes them."""

import re

import pytest
from conftest import ROOT
from pictures import PAGES, PICTURES, SLUG, generate, photograph, terminal

pytestmark = pytest.mark.slow


def words(svg):
    """Return the lines of a picture, without what differs by day and by machine."""
    lines = re.findall(r"<text [^>]+ y=\"([\d.]+)\"[^>]*>(.+?)</text>", svg)
    shown = {}
    for place, text in lines:
        shown[place] = shown.get(place, "") + text.replace("&#160;", " ")
    return [re.sub(r"[\d.]+", "0", text) for text in shown.values() if "version" not in text]


def test_the_picture_of_the_terminal_is_what_a_run_looks_like(tmp_path):
    seen = generate(tmp_path, ["cookiecutter", "gh:org/template"])

    shown, committed = words(terminal(seen)), words((PICTURES / "terminal.svg").read_text())
    assert "$ uvx cookiecutter gh:org/template" in committed
    assert len(shown) > 25
    assert shown[1:] == committed[1:]
    assert (tmp_path / SLUG / "uv.lock").exists()
    photograph(tmp_path / SLUG, tmp_path)
    sizes = {name: (tmp_path / name).read_bytes()[16:24] for name, *_ in PAGES}
    assert sizes == {name: (PICTURES / name).read_bytes()[16:24] for name, *_ in PAGES}


def test_each_picture_is_shown_somewhere():
    shown = "".join(page.read_text() for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")])

    for picture in PICTURES.iterdir():
        assert f"pictures/{picture.name}" in shown, picture.name
