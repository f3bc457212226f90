"""The steps of docs/uploads.md, with a server that implements S3's protocol on loopback."""

import re
import textwrap

import pytest
from support.browser import User, chromium, serve_in_production
from support.generated import ROOT, unused_port
from support.router import https

pytestmark = [pytest.mark.slow, pytest.mark.exotic]

PAGE = (ROOT / "docs" / "uploads.md").read_text(encoding="utf-8")
PHOTO = """

class Photo(models.Model):
    file = models.ImageField(upload_to="photos")
"""
VIEW = """
from application.models import Photo

def home(request):
    return render(request, "application/photos.html", {"photos": Photo.objects.all()})
"""
TEMPLATE = '{% for photo in photos %}<img src="{{ photo.file.url }}">{% endfor %}'
# An image of one pixel, saved twice with the same name.
UPLOAD = """
import base64, boto3
from django.conf import settings
from django.core.files.base import ContentFile
from application.models import Photo
options = settings.STORAGES["default"]["OPTIONS"]
names = {"access_key": "aws_access_key_id", "secret_key": "aws_secret_access_key"}
names |= {name: name for name in ("endpoint_url", "region_name")}
client = boto3.client("s3", **{names[name]: options[name] for name in names})
place = {"LocationConstraint": options["region_name"]}
client.create_bucket(Bucket=options["bucket_name"], CreateBucketConfiguration=place)
dot = "R0lGODlhAQABAIAAAP///wAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="
for n in range(2):
    Photo().file.save("dot.gif", ContentFile(base64.b64decode(dot)))
print(*(photo.file.name for photo in Photo.objects.order_by("pk")))
"""


def blocks():
    """Return the page's code blocks: a command, settings, and environment variables."""
    return [
        textwrap.dedent(text) for text in re.findall(r"   ```\w*\n(.+?)   ```", PAGE, re.DOTALL)
    ]


def append(site, file, text):
    with (site.path / file).open("a", encoding="utf-8") as opened:
        opened.write(text)


def follow(site, environment):
    """Follow the steps of the page."""
    command, settings, example, production, _ = blocks()
    for typed in (command, "uv add pillow"):
        done = site.run("bash", "-c", typed, env=environment)
        assert done.returncode == 0, done.out
    end = "env.refuse_problems()"
    site.replace("project/settings.py", f"\n{end}", f"\n{settings}\n{end}")
    append(site, ".env.example", example)
    append(site, "tests/production.env", production)


def test_uploads_go_to_a_bucket_and_are_shown(
    own_copy, collect, serve, postgres, free_port, tmp_path
):
    site, environment = own_copy
    follow(site, environment)
    assert site.manage("startapp", "photos", env=environment).returncode == 0
    models = (site.path / "photos" / "models.py").read_text()
    (site.path / "application" / "models.py").write_text(models + PHOTO)
    append(site, "application/views.py", VIEW)
    (site.path / "application/templates/application/photos.html").write_text(TEMPLATE)
    assert site.manage("makemigrations", "application", env=environment).returncode == 0

    verified = site.run("python", "bootstrap.py", env=environment)
    tested = site.run("pytest", "-q", "--deselect", "application", "tests", env=environment)
    assert "\nVerified" in verified.stdout, verified.out
    assert tested.returncode == 0, tested.out

    port = unused_port()
    serve(
        site, "uvx", "--from", "moto[server]", "moto_server", "-p", port, env=environment, port=port
    )
    variables = {
        "AWS_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": postgres.database("uploads"),
    }
    production = site.production(**variables)
    assert site.manage("migrate", env=production).returncode == 0
    uploaded = site.shell(UPLOAD, env=production)
    assert uploaded.returncode == 0, uploaded.out
    first, second = uploaded.stdout.split()
    assert first == "photos/dot.gif" and second != first
    collect(site)
    serve_in_production(site, serve, free_port, **variables)
    with chromium() as browser, https(tmp_path, free_port) as router:
        user = User(browser, router.url, tmp_path)
        user.page.goto("/")
        sizes = "[...document.images].map((image) => image.naturalWidth)"
        assert user.page.evaluate(sizes) == [1, 1]
        assert not user.errors


def test_checks_fail_without_a_bucket_name(own_copy):
    site, environment = own_copy
    follow(site, environment)
    site.replace("project/settings.py", 'env("AWS_STORAGE_BUCKET_NAME")', '""')

    failed = site.run("python", "bootstrap.py", env=environment)

    assert failed.returncode == 1 and "deploy.E021" in failed.stdout, failed.out
