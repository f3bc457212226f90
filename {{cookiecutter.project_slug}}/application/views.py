from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.shortcuts import render


def home(request):
    """Greet whoever comes by."""
    return render(request, "application/home.html", {"debug": settings.DEBUG})


@staff_member_required
def boom(request):
    """Fail on purpose, to see that the log and the error tracker get to know of it. Staff only."""
    raise RuntimeError("Boom! Somebody on the staff opened /boom/ to see this error arrive.")
