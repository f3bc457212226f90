import logging


class RequestId(logging.Filter):
    """Gives each line the id under which Heroku's router knows the request, or a dash."""

    def filter(self, record):
        headers = getattr(getattr(record, "request", None), "headers", {})
        record.request_id = headers.get("X-Request-Id", "-")
        return True


class NoCspReports(logging.Filter):
    """Drops runserver's lines for CSP reports: project/views.py logs what is in them."""

    def filter(self, record):
        return "/csp-report/" not in record.getMessage()
