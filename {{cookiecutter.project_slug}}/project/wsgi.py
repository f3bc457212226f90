import logging
import os
import sys
from tempfile import SpooledTemporaryFile

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

from project import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")


def is_charset(name):
    """Return whether a codec reads ASCII as ASCII. Python has some that do more, or other things."""
    probe = b"\\u0041+AGE-"
    try:
        return probe.decode(name, "replace") == probe.decode()
    except (LookupError, ValueError):
        return False


def prepared(application):
    """Give a request an id, and a body that Django can read.

    A body that comes in chunks is read here, and counted: Django takes it for an empty one. Of one
    that is too long, only so much is read that project.middleware can tell. A charset that is none
    is left out, like one that is unknown.
    """

    def prepare(environ, start_response):
        environ["HTTP_X_REQUEST_ID"] = logs.begin(environ.get("HTTP_X_REQUEST_ID", ""))
        kind = environ.get("CONTENT_TYPE", "")
        if not is_charset(parse_header_parameters(kind)[1].get("charset", "utf-8")):
            environ["CONTENT_TYPE"] = kind.partition(";")[0]
        if "HTTP_TRANSFER_ENCODING" in environ:
            left = settings.MAX_BODY_SIZE + 1
            body = SpooledTemporaryFile(settings.FILE_UPLOAD_MAX_MEMORY_SIZE)
            while left and (chunk := environ["wsgi.input"].read(min(left, 65536))):
                left -= body.write(chunk)
            environ |= {"wsgi.input": body, "CONTENT_LENGTH": str(body.tell())}
            body.seek(0)
        return application(environ, start_response)

    return prepare


application = prepared(get_wsgi_application())
logger = logging.getLogger("project")
logger.info("Error tracking is %s", settings.ERROR_TRACKING)
if "runserver" in sys.argv and not settings.DEBUG:
    logger.warning("DEBUG is off: .env has no DEBUG=True, or a variable of the shell wins over it")
