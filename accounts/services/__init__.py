"""Services of accounts: every write to its tables."""

from accounts.services.audit import record_audit
from accounts.services.deprecations import announce_deprecations, record_deprecated_calls, send_deprecation_emails
from accounts.services.keys import (
    MintedKey,
    create_api_key,
    record_key_use,
    revoke_api_key,
    rotate_api_key,
    update_api_key,
)
from accounts.services.logins import (
    record_failed_staff_login,
    record_login_attempt,
    record_staff_login,
    reset_login_throttle,
)
from accounts.services.second_factor import (
    enrol_second_factor,
    has_second_factor,
    must_enrol,
    needs_second_factor,
    remove_second_factor,
    renew_recovery_codes,
    requires_second_factor,
    second_factor_stamp,
    verify_second_factor,
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
    "create_api_key",
    "create_user",
    "enrol_second_factor",
    "grant_scopes",
    "has_second_factor",
    "log_in",
    "must_enrol",
    "needs_second_factor",
    "promote_to_staff",
    "record_audit",
    "record_deprecated_calls",
    "record_failed_staff_login",
    "record_key_use",
    "record_login_attempt",
    "record_staff_login",
    "refresh_session",
    "register_user",
    "remove_second_factor",
    "renew_recovery_codes",
    "requires_second_factor",
    "reset_login_throttle",
    "resume_user",
    "revoke_api_key",
    "revoke_session",
    "rotate_api_key",
    "second_factor_stamp",
    "send_deprecation_emails",
    "set_plan",
    "suspend_user",
    "update_api_key",
    "verify_second_factor",
]
