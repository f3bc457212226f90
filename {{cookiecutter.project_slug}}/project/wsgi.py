import logging
import os
import sys
from tempfile import SpooledTemporaryFile

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

from project import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")


def readable(kind):
    """Return a Content-Type, without its parameters where Django could not read them.

    A charset has to read ASCII as ASCII: Python has codecs that do more, or other things.
    """
    probe = b"\\u0041+AGE-"
    try:
        charset = parse_header_parameters(kind)[1].get("charset", "utf-8")
        if probe.decode(charset, "replace") == probe.decode():
            return kind
    except (LookupError, TypeError, ValueError):
        pass
    return kind.partition(";")[0]


def prepared(application):
    """Give a request an id, and a body that Django can read.

    A body that comes in chunks is read here, and counted: Django takes it for an empty one. Of one
    that is too long, only so much is read that project.middleware can tell.
    """

    def prepare(environ, start_response):
        environ["HTTP_X_REQUEST_ID"] = logs.begin(environ.get("HTTP_X_REQUEST_ID", ""))
        environ["CONTENT_TYPE"] = readable(environ.get("CONTENT_TYPE", ""))
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
