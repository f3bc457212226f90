from django.urls import path

from blog import views

app_name = "blog"
urlpatterns = [
    path("", views.PostList.as_view(), name="posts"),
    path("<int:pk>/", views.PostDetail.as_view(), name="post"),
    path("by/<str:username>/", views.by_author, name="author"),
    path("new/", views.write, name="write"),
]
