# SPDX-License-Identifier: Apache-2.0
"""Django's settings, all derived from ServerSettings. Importing this writes nothing."""

import secrets
from pathlib import Path

from csp.constants import NONE, SELF

from portineria.control.settings.database import database
from portineria.control.settings.master_key import NoMasterKey, derive
from portineria.control.settings.start import current

PORTINERIA = current()
_CONTROL = Path(__file__).resolve().parent.parent
_STATE = PORTINERIA.state


def _secret_key() -> str:
    try:
        return derive("django-secret-key").hex()
    except NoMasterKey:
        return secrets.token_hex(32)  # migrations and checks run before there is an installation


SECRET_KEY = _secret_key()
DEBUG = False
# Gateways know the server by the address of its relay: they enrol and renew there.
_RELAY_HOSTS = [f"[{place.host}]" if ":" in place.host else place.host for place in PORTINERIA.places()]
ALLOWED_HOSTS = [PORTINERIA.host, "localhost", "127.0.0.1", "[::1]", *_RELAY_HOSTS]
CSRF_TRUSTED_ORIGINS = [PORTINERIA.public_url.rstrip("/")]
ROOT_URLCONF = "portineria.control.urls"
ASGI_APPLICATION = "portineria.control.asgi.application"
DATABASES = {"default": database(PORTINERIA)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "portineria.control.audit",
    "portineria.control.identity",
    "portineria.control.sinks",
    "portineria.control.privacy",
    "portineria.control.estate",
    "portineria.control.access",
    "portineria.control.remote_sessions",
    "portineria.control.notification",
    "portineria.control.console",
    "portineria.control.rest",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
    "csp",
    "django_htmx",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portineria.control.identity.middleware.PersonalLanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portineria.control.identity.browsers.BrowserSeenMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portineria.control.identity.middleware.SecondFactorMiddleware",
    "portineria.control.inside_middleware.InsideMiddleware",
    "portineria.control.identity.middleware.ProblemMiddleware",
    "portineria.control.body_limit.BodyLimitMiddleware",
    "portineria.control.plain_address.PlainAddressMiddleware",
    "portineria.control.rest.methods.MethodMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_CONTROL / "console" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.template.context_processors.i18n",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Languages
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("it", "Italiano"), ("ja", "日本語")]
LOCALE_PATHS = [_CONTROL / "console" / "locale"]
USE_I18N = True

# Static files are gathered at start: control/static_files.py
STATIC_URL = "/static/"
STATIC_ROOT = _STATE / "static"
WHITENOISE_USE_FINDERS = False
WHITENOISE_AUTOREFRESH = False
WHITENOISE_KEEP_ONLY_HASHED_FILES = True  # whatever is served may be kept for ever
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "portineria.control.static_files.HashedNames"},
}

# People
AUTH_USER_MODEL = "identity.Person"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "portineria.control.identity.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # an administrator vouches for the address
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
# Whoever set the password by an invitation knows it: it is not asked for again. A second factor that there is, is.
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "reauthenticate": "10/m/user",
    "company": "60/m/ip",  # the ways there and back: a whole company may come from one address
}
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
ACCOUNT_REAUTHENTICATION_METHODS = ["password", "mfa"]  # whoever reads somebody's mail is not that person
MFA_ADAPTER = "portineria.control.identity.adapter.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Portineria"
MFA_TOTP_TOLERANCE = 1
MFA_RATE_LIMITS = {"authenticate": "20/m/ip"}
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not PORTINERIA.secure
SOCIALACCOUNT_ADAPTER = "portineria.control.identity.outside_adapter.OutsideAdapter"
SOCIALACCOUNT_STORE_TOKENS = False  # what a provider hands out is used once, for the sign-in
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # an address in a claim proves nobody
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
USERSESSIONS_ADAPTER = "portineria.control.identity.adapter.BrowsersAdapter"
USERSESSIONS_TRACK_ACTIVITY = True  # by BrowserSeenMiddleware
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"  # links are handed over by the administrator
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# The browser's side
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PORTINERIA.secure
SESSION_COOKIE_SAMESITE = "Lax"  # Strict would lose the sign-in when the connector opens the browser
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_HSTS_SECONDS = 365 * 86400 if PORTINERIA.secure else 0
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20  # never reached: control/body_limit.py takes less

# Refusals are logged by our own handler with their code; of Django itself only what broke is of interest.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"django.request": {"level": "ERROR"}, "django.security": {"level": "ERROR"}},
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
