"""The performance monitor: what every request cost, true over all processes and restarts.

middleware → aggregator → (background thread) services → rows → downsampling
                  └───────────────────────────────────────┴─→ selectors → /internal/performance, admin
"""
