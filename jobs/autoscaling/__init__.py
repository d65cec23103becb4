"""As many workers on this machine as the queue asks for: `manage.py autoscale_workers`.

autoscaler (reads the queue) -> policy (how many) -> fleet (starts, retires and replaces `run_worker` processes)
"""
