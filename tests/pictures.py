"""Makes docs/pictures: a real run in a terminal, and the pages of what it made in a browser.

make pictures
"""

import io
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.console import Console
from support.browser import chromium
from support.generated import (
    BIN,
    ROOT,
    environment_in,
    forget_other_sites,
    listens,
    unused_port,
)
from support.terminal import in_terminal

PICTURES = ROOT / "docs" / "pictures"
COMMAND = ["uvx", "cookiecutter", "gh:org/template"]
ANSWERS = ["Tea Shop", "", "", "", ""]
SLUG = "tea-shop"
PAGES = [
    # file, path, colours, width and height
    ("home.png", "/", "light", 960, 720),
    ("home-phone.png", "/", "dark", 390, 800),
    ("404.png", "/errors/404/", "light", 960, 480),
    ("500.png", "/errors/500/", "dark", 960, 480),
    ("lock-out-phone.png", "/errors/429/", "light", 390, 800),
]
# rich's own would load its font from elsewhere.
SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, Menlo, Consolas, monospace; }}
{styles}
</style>
<defs>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def generate(folder, command):
    """Generate a site in `folder`, with this repository for gh:…; return what was to be seen."""
    variables = environment_in(folder) | {"TERM": "xterm-256color"}
    variables["PATH"] = os.pathsep.join([str(BIN), variables["PATH"]])
    config = {"abbreviations": {"gh": str(ROOT)}, "replay_dir": str(folder / "replay")}
    Path(variables["COOKIECUTTER_CONFIG"]).write_text(json.dumps(config))
    status, seen = in_terminal(command, folder, variables, ANSWERS)
    assert status == 0, seen
    return f"$ {' '.join(command)}\n{seen}".replace("\r\n", "\n")


def terminal(seen):
    """Return a picture of what was seen in a terminal, as it looked in the end: an SVG."""
    console = Console(record=True, file=io.StringIO(), width=80, color_system="truecolor")
    for line in AnsiDecoder().decode(seen):
        console.print(line)
    svg = console.export_svg(title="", code_format=SVG, unique_id="terminal")
    svg = re.sub("<text [^>]+>\n</text>", "", svg)  # the ends of lines
    svg = svg.replace("</text><text", "</text>\n<text")  # other times are a short diff
    return "".join(f"{line.strip()}\n" for line in svg.splitlines() if line.strip())


def words(svg):
    """Return the lines of a picture, without spaces and what differs by day and by machine."""
    lines = {}
    for place, text in re.findall(r"<text [^>]+ y=\"([\d.]+)\"[^>]*>(.+?)</text>", svg):
        lines[place] = lines.get(place, "") + text.replace("&#160;", "")
    return [re.sub(r"[\d.]+", "0", line) for line in lines.values() if "version" not in line]


def photograph(site, folder):
    """Take the pictures of PAGES, as runserver shows them, into `folder`."""
    port = unused_port()
    command = [site / ".venv" / "bin" / "python", "manage.py", "runserver", "--noreload", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=site, **quiet)
    until = time.monotonic() + 30
    try:
        while not listens(port):
            assert server.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        with chromium() as browser:
            for name, path, colours, width, height in PAGES:
                size = {"width": width, "height": height}
                page = browser.new_page(viewport=size, color_scheme=colours)
                page.goto(f"http://127.0.0.1:{port}{path}")
                page.screenshot(path=folder / name)
    finally:
        server.terminate()
        server.wait(30)


def main():
    """Make them all."""
    forget_other_sites()
    subprocess.run([BIN / "uvx", *COMMAND[1:2], "--version"], check=True)  # is fetched by now
    with tempfile.TemporaryDirectory() as folder:
        seen = generate(Path(folder), COMMAND)
        (PICTURES / "terminal.svg").write_text(terminal(seen))
        photograph(Path(folder) / SLUG, PICTURES)


if __name__ == "__main__":
    main()
