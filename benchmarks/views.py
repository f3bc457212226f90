"""What both sites are asked for: put into each by sites.py."""

from django.contrib.auth import get_user_model
from django.db import connection
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path


def empty(request):
    return HttpResponse()


def page(request):
    """A template and one query."""
    return render(request, "benchmark.html", {"person": get_user_model().objects.first()})


def wait(request):
    """Take a tenth of a second of the database's time, and next to no CPU."""
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
