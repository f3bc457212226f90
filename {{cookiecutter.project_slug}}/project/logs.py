import logging


class RequestId(logging.Filter):
    """Gives each line the id under which Heroku's router knows the request, or a dash."""

    def filter(self, record):
        headers = getattr(getattr(record, "request", None), "headers", {})
        record.request_id = headers.get("X-Request-Id", "-")
        return True
