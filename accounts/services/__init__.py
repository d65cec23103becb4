"""Every write to accounts."""

from accounts.services.audit import record_audit
from accounts.services.deprecations import announce_deprecations, record_deprecated_calls, send_due_notices
from accounts.services.keys import (
    MintedKey,
    create_api_key,
    note_key_use,
    revoke_api_key,
    rotate_api_key,
    update_api_key,
)
from accounts.services.logins import begin_login, forgive_login
from accounts.services.sessions import log_in, refresh_session, revoke_session
from accounts.services.users import (
    create_user,
    grant_scopes,
    promote_to_staff,
    register_user,
    resume_user,
    set_plan,
    suspend_user,
)

__all__ = [
    "MintedKey",
    "announce_deprecations",
    "begin_login",
    "create_api_key",
    "create_user",
    "forgive_login",
    "grant_scopes",
    "log_in",
    "note_key_use",
    "promote_to_staff",
    "record_audit",
    "record_deprecated_calls",
    "refresh_session",
    "register_user",
    "resume_user",
    "revoke_api_key",
    "revoke_session",
    "rotate_api_key",
    "send_due_notices",
    "set_plan",
    "suspend_user",
    "update_api_key",
]
