"""WSGI application of the project."""

import gc
import os
import sys

from django.core.wsgi import get_wsgi_application

from renders.waiting.shutdown import watch_for_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
# How long a thread may hold the GIL while others wait. With Python's default of 5 ms a liveness probe waits 5 ms for
# each busy thread: bench/live.py measures it.
SWITCH_INTERVAL_S = 0.0005
sys.setswitchinterval(SWITCH_INTERVAL_S)

application = get_wsgi_application()
# Exclude everything loaded so far from garbage collections, which pause all threads.
gc.collect()
gc.freeze()
watch_for_shutdown()
