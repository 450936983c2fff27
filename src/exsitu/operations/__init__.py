"""What runs around the pipeline: servers on this machine, their state, the state of the checkout, what is out of order.

Prefect, MLflow's server and DVC are called as commands and asked over HTTP; none of them is imported here.
"""
