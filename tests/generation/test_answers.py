"""The answers to the questions: validation, and hostile names in the generated files."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from html import escape, unescape

import pytest
import yaml
from cookiecutter.main import cookiecutter as bake
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.generated import BIN, QUESTIONS, ROOT, cookiecutter, run

SLUG = re.compile("[a-z][a-z0-9-]{1,28}[a-z0-9]")

HOSTILE_NAMES = [
    "O'Brien's",
    'The "Best" Site',
    'both \' and " and ""',
    "back\\slash \\n \\",
    "emoji 🎈👩‍🚀",
    "שלום עולם",
    "100 % # not a comment",
    "$(id) `id` ${HOME}",
    "<script>alert(1)</script> & co",
    "'''",
    '"""',
    "a: b, [c] - d",
    "%s %(x)s {0}",
]


def questions():
    return [name for name in QUESTIONS if not name.startswith("_")]


def test_each_of_the_five_questions_has_a_prompt():
    assert questions() == ["project_name", "project_slug", "workers", "error_tracker", "hsts"]
    assert set(QUESTIONS["__prompts__"]) == set(questions())


def test_each_choice_has_an_explanation():
    for question in ("error_tracker", "hsts"):
        choices = set(QUESTIONS["__prompts__"][question]) - {"__prompt__"}
        assert choices == set(QUESTIONS[question])


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Site", "my-site"),
        ("3D Prints", "site-3d-prints"),
        ("🎈🎈", "site"),
        ("Django", "site-django"),
        ("x", "site-x"),
        ("Crème brûlée", "creme-brulee"),
        ("A" * 60, "a" * 30),
        ("a name that is cut off behind-- a dash", "a-name-that-is-cut-off-behind"),
    ],
)
def test_slug_is_derived_from_the_name(render, name, slug):
    assert render(project_name=name).project_path.name == slug


names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=80)
names = names.map(str.strip).filter(lambda name: name and not re.search("{[{%#]|[}%#]}", name))
SHOW_NAMES = """
import json, sys
import django
from django.test import Client, override_settings
django.setup()
for line in sys.stdin:
    with override_settings(SITE_NAME=json.loads(line)):
        page = Client(headers={"host": "localhost"}).get("/").content.decode()
    print(json.dumps(page), flush=True)
"""


@pytest.fixture
def home_page(site):
    """Return a function that renders the home page for a site name, all in one Django process."""
    django = subprocess.Popen(
        [site().python, "-c", SHOW_NAMES],
        cwd=site().path,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "project.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def show(name):
        print(json.dumps(name), file=django.stdin, flush=True)
        return json.loads(django.stdout.readline())

    with django:
        yield show
        django.stdin.close()


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=names)
@example(name="🎈")
def test_any_valid_name_is_rendered_as_typed(tmp_path, home_page, name):
    folder = bake(str(ROOT), no_input=True, accept_hooks=False, output_dir=tmp_path,
                  overwrite_if_exists=True, extra_context={"project_name": name})  # fmt: skip
    try:
        assert SLUG.fullmatch(os.path.basename(folder))
        shown = re.search("<h1>(.*)</h1>", home_page(check_files_parse(folder)), re.DOTALL)[1]
        assert unescape(shown) == name and not set("<>\"'") & set(shown)
    finally:
        shutil.rmtree(folder)


def check_files_parse(folder):
    """Parse each file of the project by its format; return the value of SITE_NAME."""
    for parent, _, files in os.walk(folder):
        for file in files:
            path = os.path.join(parent, file)
            with open(path, encoding="utf-8") as opened:
                text = opened.read()
            if file.endswith(".py"):
                tree = ast.parse(text)
            elif file.endswith(".toml"):
                tomllib.loads(text)
            elif file.endswith(".json"):
                json.loads(text)
            elif file.endswith(".yml"):
                yaml.safe_load(text)
            if file == "settings.py":
                (site_name,) = [
                    node.value.value
                    for node in tree.body
                    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SITE_NAME"
                ]
    return site_name


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_name_is_rendered_as_typed(render, site, name):
    """Django renders the name as typed, and ruff would not reformat the files."""
    project = render(project_name=name).project_path
    show = (
        "from django.test import Client; "
        "print(Client(headers={'host': 'localhost'}).get('/').content.decode())"
    )
    environment = os.environ | {"DEBUG": "True", "SECRET_KEY": "x", "ALLOWED_HOSTS": "localhost"}
    page = run(
        [site().python, "manage.py", "shell", "--no-imports", "-c", show],
        project,
        environment | {"DATABASE_URL": "sqlite://", "PYTHONIOENCODING": "utf-8"},
    )
    formatted = run([BIN / "ruff", "format", "--check", "."], project)

    assert page.returncode == 0, page.out
    assert f"<h1>{escape(name)}</h1>" in page.stdout
    assert formatted.returncode == 0, formatted.out


@pytest.mark.parametrize(
    ("answers", "question", "words"),
    [
        ({"project_name": ""}, "project_name", "is empty"),
        ({"project_name": " "}, "project_name", "is empty"),
        ({"project_name": " My Site"}, "project_name", "a space"),
        ({"project_name": "x" * 81}, "project_name", "80 characters"),
        ({"project_name": "a\tb"}, "project_name", "control character"),
        ({"project_name": "a\x1b[31mb"}, "project_name", "control character"),
        ({"project_name": "a\u2028b"}, "project_name", "control character"),
        ({"project_name": "a {{ '{#' }} b"}, "project_name", "template language"),
        ({"project_name": "a }} b"}, "project_name", "template language"),
        ({"project_slug": "ab"}, "project_slug", "3 to 30"),
        ({"project_slug": "x" * 31}, "project_slug", "3 to 30"),
        ({"project_slug": "My-Site"}, "project_slug", "3 to 30"),
        ({"project_slug": "my_site"}, "project_slug", "3 to 30"),
        ({"project_slug": "3d-prints"}, "project_slug", "3 to 30"),
        ({"project_slug": "my-site-"}, "project_slug", "3 to 30"),
        ({"project_slug": "../my-site"}, "project_slug", "3 to 30"),
        ({"project_slug": "my-site\n"}, "project_slug", "3 to 30"),
        ({"project_slug": "django"}, "project_slug", "package"),
        ({"project_slug": "asgiref"}, "project_slug", "package"),
        ({"workers": "0"}, "workers", "1 to 64"),
        ({"workers": "65"}, "workers", "1 to 64"),
        ({"workers": "02"}, "workers", "1 to 64"),
        ({"workers": "two"}, "workers", "1 to 64"),
        ({"workers": "٢"}, "workers", "1 to 64"),
        ({"workers": "-1"}, "workers", "1 to 64"),
        ({"workers": "2; id"}, "workers", "1 to 64"),
    ],
)
def test_invalid_answer_is_rejected(cookies, capfd, tmp_path, answers, question, words):
    result = cookies.bake(extra_context=answers)

    out = capfd.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith(f"  {question} ")]
    assert words in line and "Example: " in line
    assert result.exit_code == -1 and result.project_path is None


@pytest.mark.parametrize("workers", ["1", "64", "auto"])
def test_valid_number_of_workers_is_in_the_procfile(render, workers):
    procfile = (render(workers=workers).project_path / "Procfile").read_text()

    flag = "" if workers == "auto" else f" --workers {workers}"
    assert f"web: gunicorn project.wsgi{flag} --log-file -\n" in procfile


@pytest.mark.parametrize(("folder", "program"), [(BIN, "cookiecutter"), ("", sys.executable)])
def test_all_problems_are_reported_with_a_command_that_asks_again(
    tmp_path, environment, folder, program
):
    """The command works as printed, whether or not cookiecutter is on PATH."""
    answers = ["project_name=It's $(me)", "project_slug=No!", "workers=many", "hsts=proxy"]
    environment["PATH"] = f"{folder}:/usr/bin:/bin"

    rejected = cookiecutter(tmp_path / "out", environment, *answers)

    assert rejected.returncode == 1
    assert (
        "project_slug needs 3 to 30" in rejected.stdout and "workers is neither" in rejected.stdout
    )
    assert not any((tmp_path / "out").rglob("*"))
    (command,) = re.findall(f"^  ({program} .+)$", rejected.stdout, re.MULTILINE)
    skip = environment | {"COOKIECUTTER_SKIP_SETUP": "1"}
    repeated = run(["bash", "-c", f"{command} --no-input"], tmp_path / "out", skip)
    assert repeated.returncode == 0, repeated.out
    project = tmp_path / "out" / "it-s-me"
    assert '''SITE_NAME = "It's $(me)"''' in (project / "project/settings.py").read_text()
    assert "security.W004" in (project / "project/settings.py").read_text()


@pytest.mark.parametrize(
    ("typed", "valid"),
    [
        ("My Site", "my-site"), ("my_site", "my-site"), ("3d", "site-3d"), ("Café!", "cafe"),
        ("-x-", "site-x"), ("django", "site-django"), ("日本", "ri-ben"), ("a" * 40, "a" * 30),
        ("../../etc", "etc"), ("ab", "site-ab"),
    ],
)  # fmt: skip
def test_error_for_an_invalid_slug_suggests_a_valid_one(tmp_path, environment, typed, valid):
    skip = environment | {"COOKIECUTTER_SKIP_SETUP": "1"}

    rejected = cookiecutter(tmp_path / "out", environment, f"project_slug={typed}")
    accepted = cookiecutter(tmp_path / "out", skip, f"project_slug={valid}")

    assert rejected.returncode == 1 and f"Example: {valid}\n" in rejected.stdout, rejected.out
    assert accepted.returncode == 0 and SLUG.fullmatch(valid)


def test_slug_that_is_a_path_creates_no_file(tmp_path, environment):
    for slug in ("a/b", "../c", str(tmp_path / "d")):
        rejected = cookiecutter(tmp_path / "out", environment, f"project_slug={slug}")
        assert rejected.returncode == 1
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not (tmp_path / "c").exists() and not (tmp_path / "d").exists()


def test_answers_typed_at_the_prompts(tmp_path, environment):
    """Each answer is one line; a choice is entered as its number."""
    (tmp_path / "out").mkdir()
    typed = subprocess.run(
        [BIN / "cookiecutter", ROOT, "--output-dir", tmp_path / "out"],
        input='Ada\'s "Site"\n\nauto\n2\n2\n',
        env=environment | {"COOKIECUTTER_SKIP_SETUP": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert typed.returncode == 0, typed.stderr
    settings = (tmp_path / "out" / "ada-s-site" / "project" / "settings.py").read_text()
    assert """SITE_NAME = 'Ada\\'s "Site"'""" in settings
    assert "SENTRY_DSN" in settings and "security.W004" in settings
