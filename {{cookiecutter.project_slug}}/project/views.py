from django.http import Http404
from django.shortcuts import redirect, render
from django.templatetags.static import static

ERROR_PAGES = ["400", "403", "403_csrf", "404", "500"]


def favicon(request):
    """Send browsers that ask for /favicon.ico, as they do on pages that name no icon, to ours."""
    return redirect(static("application/favicon.svg"))


def error_page(request, name):
    """Show an error page while DEBUG is on, when Django shows its own in its place: /errors/404/"""
    if name not in ERROR_PAGES:
        raise Http404(f"There is one for each of {', '.join(ERROR_PAGES)}.")
    return render(request, f"{name}.html", status=int(name[:3]))
