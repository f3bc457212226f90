from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.decorators.csp import csp_override
from django.views.static import serve

from project import views

admin.site.site_header = admin.site.site_title = settings.SITE_NAME

handler400 = views.bad_request
handler403 = views.permission_denied
handler404 = views.page_not_found
handler500 = views.server_error
# The first that matches wins: put the URLs of your apps above the site's own.
urlpatterns = [
    path("", include("application.urls")),
    path("accounts/login/", LoginView.as_view(), name="login"),
    path("accounts/logout/", LogoutView.as_view(next_page="/"), name="logout"),
    path("admin/", admin.site.urls),
    path("boom/", views.boom, name="boom"),
    path("favicon.ico", views.favicon),
]

if settings.DEBUG:
    # Without a CSP, which would block the style of the page that browsers show for an image.
    media = csp_override({})(login_not_required(serve))
    urlpatterns += [
        path("csp-report/", views.csp_report),
        path("errors/<str:name>/", views.error_page),
        *static(settings.MEDIA_URL, media, document_root=settings.MEDIA_ROOT),
    ]
