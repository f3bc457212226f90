import json
import logging
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse, HttpResponseBadRequest, HttpResponseServerError
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.csp import CSP
from django.views.decorators.csrf import csrf_exempt

from project import logs

ERROR_PAGES = ["400", "403", "403_csrf", "404", "429", "500"]

logger = logging.getLogger(__name__)


@staff_member_required
def boom(request):
    """Raise an error, so that staff can see it arrive in the log and at the error tracker."""
    raise RuntimeError("Boom! A staff user opened /boom/ to see this error arrive.")


@login_not_required
def favicon(request):
    """Redirect /favicon.ico, which browsers request on pages that name no icon."""
    return redirect(static("favicon.svg"))


def bad_request(request, exception):
    """Show 400.html. Unlike Django's views, this and the next two do not parse an invalid form."""
    return render(None, "400.html", status=400)


def permission_denied(request, exception):
    return render(request, "403.html", {"exception": exception}, status=403)


def page_not_found(request, exception):
    context = {"exception": exception, "request_path": request.path}
    return render(request, "404.html", context, status=404)


def server_error(request):
    """Show 500.html with the request ID, which is in the log; one line, if the template fails."""
    try:
        page = render_to_string("500.html", {"request_id": logs.request_id.get()})
    except Exception:  # it would be logged once for each middleware
        page = "<h1>Something went wrong</h1>"
    return HttpResponseServerError(page)


@login_not_required
def error_page(request, name):
    """Show an error page while DEBUG is on: /errors/404/"""
    if name not in ERROR_PAGES:
        raise Http404(f"There is one for each of {', '.join(ERROR_PAGES)}.")
    context = {"cooloff_timedelta": settings.AXES_COOLOFF_TIME, "request_id": logs.request_id.get()}
    return render(request, f"{name}.html", context, status=int(name[:3]))


@csrf_exempt
@login_not_required
def csp_report(request):
    """Log what the CSP stopped, and how to allow it, while DEBUG is on."""
    try:
        report = json.loads(request.body)["csp-report"]
        blocked = str(report["blocked-uri"])
        directive = str(report["effective-directive"]).removesuffix("-elem")
        page = urlsplit(str(report["document-uri"]))
        place = urlsplit(str(report.get("source-file", ""))).path or page.path
        place += f", line {report['line-number']}" if report.get("line-number") else ""
        advice = csp_advice(blocked, directive, page.netloc)
    except (KeyError, RecursionError, TypeError, ValueError):
        return HttpResponseBadRequest()
    logger.warning("CSP stopped %s (%s) on %s. %s", blocked, directive, place, advice)
    return HttpResponse(status=204)


def csp_advice(blocked, directive, host):
    """Return how to allow what the CSP of `host` stopped, or what to do instead.

    `blocked` is a URL, or a word such as inline: https://www.w3.org/TR/CSP3/#reporting.
    """
    if directive.endswith("-attr"):
        return "Attributes cannot have a nonce: use a class, or addEventListener in a file."
    if blocked == "inline":
        return "Move it into a file in static/, or give its tag a nonce: README.md says how."
    if blocked in ("eval", "wasm-eval"):
        return "It runs text as code: docs/packages.md in the template has what packages need."
    address = urlsplit(blocked)
    if (address.scheme or blocked).endswith("-extension"):
        return "It belongs to a browser extension, not to the site."
    source = f"{address.scheme}://{address.netloc}" if address.netloc else f"{blocked}:"
    if address.netloc == host:  # browsers do not say where a form is redirected to
        source = "https://where-it-redirects-to" if directive == "form-action" else CSP.SELF
    sources = dict.fromkeys([*settings.SECURE_CSP.get(directive, [CSP.SELF]), source])
    sources.pop(CSP.NONE, None)
    words = [f"CSP.{it.name}" if isinstance(it, CSP) else f'"{it}"' for it in sources]
    nonce = "give its tag a nonce, or " if directive in ("script-src", "style-src") else ""
    return f'To allow it, {nonce}write in SECURE_CSP: "{directive}": [{", ".join(words)}],'
