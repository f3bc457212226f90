"""Templates, static files and error pages."""

import os
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.checks import Error, register
from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines
from django.template.defaulttags import URLNode
from django.template.loader import get_template
from django.templatetags.static import StaticNode
from django.urls import URLPattern, get_resolver
from django.utils.module_loading import import_string

from project.checks import own_apps
from project.checks.security import CSP_MIDDLEWARE
from project.views import ERROR_PAGES

SECURITY = "django.middleware.security.SecurityMiddleware"
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"


@register(deploy=True)
def check_static_files(app_configs, **kwargs):
    order = [name for name in settings.MIDDLEWARE if name in (SECURITY, CSP_MIDDLEWARE, WHITENOISE)]
    if WHITENOISE not in order or order[-1] != WHITENOISE:
        yield Error(
            "WhiteNoise is missing or too early: static files lack, or lack the security headers.",
            f"In MIDDLEWARE, put {WHITENOISE} right below {CSP_MIDDLEWARE}.",
            id="deploy.E006",
        )
    storage = import_string(settings.STORAGES["staticfiles"]["BACKEND"])
    if not hasattr(storage, "hashed_name"):
        yield Error(
            "Static files have no hash in their names: browsers keep old files after a deploy.",
            'In STORAGES["staticfiles"], use whitenoise.storage.CompressedManifestStaticFilesStorage.',
            id="deploy.E007",
        )
    # Only where the site will run, such as Heroku's release phase, are they collected by now.
    elif "DYNO" in os.environ and not storage().hashed_files:
        yield Error(
            "Static files were not collected: every page would be a 500.",
            "heroku config:unset DISABLE_COLLECTSTATIC, then deploy again.",
            id="deploy.E022",
        )
    # What collectstatic finds, with exact names: macOS and Windows also open LOGO.png as logo.png.
    found = {
        Path(getattr(storage, "prefix", None) or "", path).as_posix()
        for finder in get_finders()
        for path, storage in finder.list(["CVS", ".*", "*~"])
    }
    for template, node in template_nodes(StaticNode):
        name = literal(node.path).partition("#")[0].partition("?")[0]
        if name and name not in found:
            yield Error(
                f"{template} links a static file that does not exist, and is a 500: {name}",
                "Put the file into static/, or remove the static tag.",
                id="deploy.E019",
            )


@register(deploy=True)
def check_served_files(app_configs, **kwargs):
    folders = [it[1] if isinstance(it, list | tuple) else it for it in settings.STATICFILES_DIRS]
    folders += [settings.STATIC_ROOT, getattr(settings, "WHITENOISE_ROOT", None)]
    for folder in {Path(it).resolve() for it in folders if it}:
        is_above = folder == settings.BASE_DIR or folder in settings.BASE_DIR.parents
        if is_above or any(folder.glob("*.py")):
            yield Error(
                f"Anyone can download the code and settings, because static files are served from {folder}",
                "In STATICFILES_DIRS, STATIC_ROOT and WHITENOISE_ROOT, name folders of their own.",
                id="deploy.E032",
            )


def template_nodes(kind):
    """Yield the path of each template of this project with each of its nodes of a kind."""
    folders = [Path(folder) for engine in settings.TEMPLATES for folder in engine["DIRS"]]
    folders += [Path(app.path) / "templates" for app in own_apps()]
    for file in sorted(path for folder in folders for path in folder.rglob("*.*")):
        try:
            template = engines["django"].from_string(file.read_text(encoding="utf-8")).template
        except (TemplateSyntaxError, UnicodeDecodeError, OSError):  # a folder, or not a template
            continue
        for node in template.nodelist.get_nodes_by_type(kind):
            yield file.relative_to(settings.BASE_DIR), node


def literal(expression):
    """Return the text of an expression in a template that is only that, else an empty string."""
    is_text = isinstance(expression.var, str) and not expression.filters
    return expression.var if is_text else ""


def url_names(resolver, prefix=""):
    """Yield the names of all URL patterns, such as admin:index."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}"
            continue
        for namespace in {pattern.namespace, pattern.app_name}:
            yield from url_names(pattern, f"{prefix}{namespace}:" if namespace else prefix)


@register(deploy=True)
def check_pages(app_configs, **kwargs):
    for name in ERROR_PAGES:
        try:
            get_template(f"{name}.html")
        except TemplateDoesNotExist:
            yield Error(
                f"The error page {name}.html is missing.",
                "Put it into templates/.",
                id="deploy.E010",
            )
    names = set(url_names(get_resolver()))
    for template, node in template_nodes(URLNode):
        name = literal(node.view_name)
        if name and not node.asvar and name not in names:
            yield Error(
                f"{template} links a URL name that does not exist, and is a 500: {name}",
                "Add its path() to project/urls.py, or correct the name.",
                id="deploy.E025",
            )


@register(deploy=True)
def check_escaping(app_configs, **kwargs):
    if any(it.get("OPTIONS", {}).get("autoescape") is False for it in settings.TEMPLATES):
        yield Error(
            "Templates do not escape what they show: a visitor's script would run in pages.",
            "Remove autoescape from TEMPLATES; in a template, the filter safe is for one place.",
            id="deploy.E037",
        )
