from django.conf import settings


def site_name(request):
    """Give SITE_NAME to every template."""
    return {"SITE_NAME": settings.SITE_NAME}
