import logging
import os

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_asgi_application()
logging.getLogger("project").info("Error tracking is %s", settings.ERROR_TRACKING)
