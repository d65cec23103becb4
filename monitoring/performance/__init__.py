"""Performance monitor: request timings, exact across processes and restarts.

middleware → aggregator → (background thread) services → rows → downsampling
                  └───────────────────────────────────────┴─→ selectors → /internal/performance, admin
"""
