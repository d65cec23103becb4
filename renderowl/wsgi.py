"""The WSGI application that the server runs."""

import gc
import os
import sys

from django.core.wsgi import get_wsgi_application

from renders.waiting.shutdown import watch_for_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "renderowl.settings")
# How long a thread may work while others wait for their turn. With Python's 5 ms a liveness probe waits for that, times
# the threads that are busy: bench/live.py has the figures.
SWITCH_INTERVAL_S = 0.0005
sys.setswitchinterval(SWITCH_INTERVAL_S)

application = get_wsgi_application()
# What is loaded by now stays: no collection need look through it again, which would halt all threads meanwhile.
gc.collect()
gc.freeze()
watch_for_shutdown()
