"""What `check --deploy` looks at beyond Django's own list."""

from django.conf import settings
from django.core.checks import Warning, register


@register(deploy=True)
def development_settings(app_configs, **kwargs):
    """Django checks the settings that it runs with, and at home those are .env's."""
    if not settings.DEBUG:
        return []
    return [
        Warning(
            "This checked the site with DEBUG on, as it runs at home.",
            hint="To check it as it will run live: python bootstrap.py",
            id="deploy.W001",
        )
    ]
