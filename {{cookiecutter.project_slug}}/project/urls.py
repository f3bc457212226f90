from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

from project import views

admin.site.site_header = admin.site.site_title = settings.SITE_NAME

handler500 = "project.views.server_error"
urlpatterns = [
    path("", include("application.urls")),
    path("admin/", admin.site.urls),
    path("favicon.ico", views.favicon),
]

if settings.DEBUG:
    urlpatterns += [
        path("errors/<str:name>/", views.error_page),
        path("csp-report/", views.csp_report),
    ]
    urlpatterns += static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT)
