"""Deployment checks for mistakes that break a site and that Django does not detect.

Only `check --deploy` runs them. To silence one, add its id to SILENCED_SYSTEM_CHECKS, with the
reason above it. The last number is E039.
"""

import sys
from pathlib import Path

from django.apps import apps
from django.conf import settings


def is_own(path):
    """Return whether a path belongs to this project, and not to an installed package."""
    path = Path(path)
    return settings.BASE_DIR in path.parents and "site-packages" not in path.parts


def own_apps():
    """Return the app configs that belong to this project."""
    return [app for app in apps.get_app_configs() if is_own(app.path)]


def own_modules():
    """Return the imported modules that belong to this project."""
    return [it for it in sys.modules.values() if is_own(getattr(it, "__file__", None) or "/")]
