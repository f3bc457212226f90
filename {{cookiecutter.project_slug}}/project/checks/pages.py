"""Templates, static files and error pages."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles.finders import FileSystemFinder, get_finders
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

HEADERS = ["django.middleware.security.SecurityMiddleware", CSP_MIDDLEWARE]
HEADERS.append("project.middleware.security_headers")
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"


@register(deploy=True)
def check_static_files(app_configs, **kwargs):
    order = [name for name in settings.MIDDLEWARE if name in (*HEADERS, WHITENOISE)]
    if order[-1:] != [WHITENOISE]:
        message = "WhiteNoise is missing, or above middleware that sets security headers."
        hint = f"In MIDDLEWARE, put {WHITENOISE} below {HEADERS[-1]}."
        yield Error(message, hint, id="deploy.E006")
    storage = import_string(settings.STORAGES["staticfiles"]["BACKEND"])
    if not hasattr(storage, "hashed_name"):
        message = "Static files have no hash in their names: browsers keep old files."
        hint = "In STORAGES, use whitenoise.storage.CompressedManifestStaticFilesStorage."
        yield Error(message, hint, id="deploy.E007")
    # Only where the site will run, such as Heroku's release phase, are they collected by now.
    elif "DYNO" in os.environ and not storage().hashed_files:
        hint = "heroku config:unset DISABLE_COLLECTSTATIC; git commit --allow-empty, and push."
        yield Error("No static files are collected: pages fail with a 500.", hint, id="deploy.E022")
    folders = [folder for _, folder in FileSystemFinder().locations]
    folders += [settings.STATIC_ROOT, getattr(settings, "WHITENOISE_ROOT", None)]
    for folder in {Path(it).resolve() for it in folders if it}:
        if folder in [settings.BASE_DIR, *settings.BASE_DIR.parents] or any(folder.glob("*.py")):
            message = f"Anyone can download the code: static files are served from {folder}"
            hint = "Use other folders in STATICFILES_DIRS, STATIC_ROOT and WHITENOISE_ROOT."
            yield Error(message, hint, id="deploy.E032")


@register(deploy=True)
def check_templates(app_configs, **kwargs):
    if any(it.get("OPTIONS", {}).get("autoescape") is False for it in settings.TEMPLATES):
        message = "Templates do not escape values: a user's text can run scripts in pages."
        hint = "Remove autoescape from TEMPLATES; in a template, the filter safe is for one value."
        yield Error(message, hint, id="deploy.E037")
    for name in ERROR_PAGES:
        try:
            get_template(f"{name}.html")
        except (TemplateDoesNotExist, TemplateSyntaxError) as error:
            message = f"The error page {name}.html cannot be loaded: {error}"
            yield Error(message, "Put it into templates/, or correct it.", id="deploy.E010")
    # What collectstatic finds, with exact names: macOS and Windows also open LOGO.png as logo.png.
    found = [file for finder in get_finders() for file in finder.list(["CVS", ".*", "*~"])]
    files = {Path(getattr(source, "prefix", None) or "", it).as_posix() for it, source in found}
    for template, link in literals(StaticNode, "path"):
        name = urlsplit(link).path
        if name and not name.endswith("/") and name not in files:
            message = f"{template} fails with a 500: the static file {name} does not exist"
            hint = "Put the file into static/, or remove the static tag."
            yield Error(message, hint, id="deploy.E019")
    names = set(url_names(get_resolver()))
    for template, name in literals(URLNode, "view_name"):
        if name not in names:
            message = f"{template} fails with a 500: there is no URL named {name}"
            hint = "Add its path() to project/urls.py, or correct the name."
            yield Error(message, hint, id="deploy.E025")


def literals(kind, attribute):
    """Yield each template of this project with the literal argument of each tag of a kind."""
    folders = [Path(folder) for engine in settings.TEMPLATES for folder in engine["DIRS"]]
    folders += [Path(app.path) / "templates" for app in own_apps()]
    for file in sorted(path for folder in folders for path in folder.rglob("*.*")):
        try:
            template = engines["django"].from_string(file.read_text(encoding="utf-8")).template
        except (TemplateSyntaxError, UnicodeDecodeError, OSError):  # a folder, or not a template
            continue
        for node in template.nodelist.get_nodes_by_type(kind):
            expression = getattr(node, attribute)
            is_text = isinstance(expression.var, str) and not expression.filters
            # With `as`, the url tag does not fail.
            if is_text and not getattr(node, "asvar", None):
                yield file.relative_to(settings.BASE_DIR), expression.var


def url_names(resolver, prefix=""):
    """Yield the names of all URL patterns, such as admin:index."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}"
            continue
        for namespace in {pattern.namespace, pattern.app_name}:
            yield from url_names(pattern, f"{prefix}{namespace}:" if namespace else prefix)
