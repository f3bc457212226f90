"""The views of both sites: sites.py copies them into each."""

from django.contrib.auth import get_user_model
from django.db import connection
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path


def empty(request):
    return HttpResponse()


def page(request):
    """Render a template with the result of one query."""
    return render(request, "benchmark.html", {"person": get_user_model().objects.first()})


def wait(request):
    """Wait a tenth of a second for the database, with almost no CPU time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.1)")
    return HttpResponse()


def failing(request):
    raise RuntimeError("failing")


urlpatterns = [
    path("empty/", empty),
    path("page/", page),
    path("wait/", wait),
    path("failing/", failing),
]
