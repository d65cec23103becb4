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
from accounts.services.logins import begin_login, forgive_login, note_failed_staff_login, note_staff_login
from accounts.services.second_factor import (
    enrol_second_factor,
    has_second_factor,
    must_enrol,
    needs_second_factor,
    prove_second_factor,
    remove_second_factor,
    renew_recovery_codes,
    second_factor_is_demanded,
    session_mark,
)
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
    "enrol_second_factor",
    "forgive_login",
    "grant_scopes",
    "has_second_factor",
    "log_in",
    "must_enrol",
    "needs_second_factor",
    "note_failed_staff_login",
    "note_key_use",
    "note_staff_login",
    "promote_to_staff",
    "prove_second_factor",
    "record_audit",
    "record_deprecated_calls",
    "refresh_session",
    "register_user",
    "remove_second_factor",
    "renew_recovery_codes",
    "resume_user",
    "revoke_api_key",
    "revoke_session",
    "rotate_api_key",
    "second_factor_is_demanded",
    "send_due_notices",
    "session_mark",
    "set_plan",
    "suspend_user",
    "update_api_key",
]
