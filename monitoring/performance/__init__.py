"""The performance monitor: what every request cost, true over all processes and restarts.

middleware → recorder → (background thread) writer → rows → compaction
                                                       └──→ report → /internal/performance, admin
"""
