"""The performance monitor: what every request cost, true over all processes and restarts.

middleware → aggregator → (background thread) writing → rows → merging
                  └───────────────────────────────────────┴─→ reading → /internal/performance, admin
"""
