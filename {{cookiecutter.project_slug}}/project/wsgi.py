import logging
import os
import sys

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_wsgi_application()
logger = logging.getLogger("project")
logger.info("Error tracking is %s", settings.ERROR_TRACKING)
if "runserver" in sys.argv and not settings.DEBUG:
    logger.warning("DEBUG is off: .env has no DEBUG=True, or a variable of the shell wins over it")
