"""Raw SQL for the queue's hot statements, which cost seven times as much through the ORM.

Each statement is above the function that runs it. Callers use `sql.claim(...)`.
"""

from jobs.sql.claiming import claim, claim_limited, is_ready
from jobs.sql.leases import ExpiredJob, HeldJob, expire_worker, list_expired, list_held, lock, renew, watch
from jobs.sql.limits import admit, demote, list_admissible
from jobs.sql.outcomes import end, end_transaction, requeue, retry
from jobs.sql.promoting import any_due, promote

__all__ = [
    "ExpiredJob", "HeldJob", "admit", "any_due", "claim", "claim_limited", "demote", "end", "end_transaction",
    "expire_worker", "is_ready", "list_admissible", "list_expired", "list_held", "lock", "promote", "renew",
    "requeue", "retry", "watch",
]  # fmt: skip
