def client_address(request):
    """Return the address that a login comes from.

    Each proxy adds to X-Forwarded-For the address that it sees, at the end. The last is the
    platform's router's word (Heroku's; see what yours says); the visitor may have written the rest.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR")
