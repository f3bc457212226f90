from django.conf import settings
from django.shortcuts import render


def home(request):
    """Show the home page."""
    return render(request, "application/home.html", {"debug": settings.DEBUG})
