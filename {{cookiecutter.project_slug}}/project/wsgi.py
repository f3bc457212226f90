import logging
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_wsgi_application()
logging.getLogger("project").info("Error tracking is %s", settings.ERROR_TRACKING)
