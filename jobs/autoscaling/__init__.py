"""Autoscaling of the workers on this machine: `manage.py autoscale_workers`.

autoscaler (reads the load) -> policy (number of workers) -> fleet (starts, retires and replaces `run_worker` processes)
"""
