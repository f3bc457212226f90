import json
import logging

from django.conf import settings
from django.http import Http404, HttpResponse, HttpResponseServerError
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.views.decorators.csrf import csrf_exempt

ERROR_PAGES = ["400", "403", "403_csrf", "404", "429", "500"]

logger = logging.getLogger(__name__)


def favicon(request):
    """Send browsers that ask for /favicon.ico, as they do on pages that name no icon, to ours."""
    return redirect(static("application/favicon.svg"))


def server_error(request):
    """Show 500.html with the request's id, which the log has, too; or a line, if that fails."""
    try:
        request_id = request.headers.get("X-Request-Id", "")
        page = render_to_string("500.html", {"request_id": request_id})
    except Exception:  # an error here would be told of once for each middleware
        page = "<h1>Something went wrong</h1>"
    return HttpResponseServerError(page)


def error_page(request, name):
    """Show an error page while DEBUG is on, when Django shows its own in its place: /errors/404/"""
    if name not in ERROR_PAGES:
        raise Http404(f"There is one for each of {', '.join(ERROR_PAGES)}.")
    shown = {"cooloff_timedelta": settings.AXES_COOLOFF_TIME, "request_id": "from-the-router"}
    return render(request, f"{name}.html", shown, status=int(name[:3]))


@csrf_exempt
def csp_report(request):
    """Print what the content security policy stopped, and what to do about it, while DEBUG is on."""
    report = json.loads(request.body).get("csp-report", {})
    blocked = report.get("blocked-uri", "")
    directive = report.get("effective-directive") or report.get("violated-directive")
    cures = {
        "data": f'To allow it, add "data:" to {directive} in SECURE_CSP.',
        "eval": "It makes code of text; look for one that does not.",
        "inline": "Put it into a file in static/, or give it a nonce: README.md says how.",
    }
    at_host = "To allow it, add the host to CSP_HOSTS; better: put the file into static/."
    logger.warning("CSP stopped %s (%s). %s", blocked, directive, cures.get(blocked, at_host))
    return HttpResponse(status=204)
