import os
import sys
from contextlib import suppress
from tempfile import SpooledTemporaryFile

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

from project import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")


def clean_content_type(content_type):
    """Return a Content-Type, without its parameters if Django cannot read them."""
    probe = b"\\u0041+AGE-"  # not every codec decodes ASCII as ASCII
    with suppress(LookupError, TypeError, ValueError, Warning):
        charset = parse_header_parameters(content_type)[1].get("charset", "utf-8")
        if probe.decode(charset, "replace") == probe.decode():
            return content_type
    return content_type.partition(";")[0]


def prepare_requests(application):
    """Give requests an ID, and chunked bodies a length: without it, Django reads an empty body."""

    def prepare(environ, start_response):
        environ["HTTP_X_REQUEST_ID"] = logs.set_request_id(environ.get("HTTP_X_REQUEST_ID", ""))
        if environ.get("CONTENT_TYPE"):
            environ["CONTENT_TYPE"] = clean_content_type(environ["CONTENT_TYPE"])
        if "HTTP_TRANSFER_ENCODING" in environ:
            left = settings.MAX_BODY_SIZE + 1  # that many are rejected by body_limit
            body = SpooledTemporaryFile(settings.FILE_UPLOAD_MAX_MEMORY_SIZE)
            while left and (chunk := environ["wsgi.input"].read(min(left, 65536))):
                left -= body.write(chunk)
            environ |= {"wsgi.input": body, "CONTENT_LENGTH": str(body.tell())}
            body.seek(0)
        return application(environ, start_response)

    return prepare


application = prepare_requests(get_wsgi_application())
logs.logger.info("Error tracking is %s", settings.ERROR_TRACKING)
if "runserver" in sys.argv and not settings.DEBUG:
    logs.logger.warning("DEBUG is off: not on in .env, or the shell sets DEBUG or SECRET_KEY")
