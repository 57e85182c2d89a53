"""The processes of a distributed training. Apart from the other profiles: the plugin imports all of Kubernetes' API."""

from flytekitplugins.kfpytorch import Elastic

from tasks.support.resources import decided, profile


def elastic() -> Elastic:
    """Return the training processes: one on a laptop, two on CPUs, otherwise one for each GPU.

    Several nodes become a PyTorchJob.
    """
    on_gpu = profile() == "gpu"
    return Elastic(
        nnodes=int(decided()["ASSAY_NODES"]) if on_gpu else 1,
        nproc_per_node=int(decided()["ASSAY_GPUS"]) if on_gpu else {"laptop": 1, "cpu": 2}[profile()],
        max_restarts=2,
        monitor_interval=1,
        # The default read timeout of 60 seconds is too short if one node of several starts late.
        rdzv_configs={"timeout": 900, "join_timeout": 900, "read_timeout": 900},
        increase_shared_mem=False,  # deprecated: @task(shared_memory=True) replaces it
    )
