# flytekit's accelerators as tasks/support/resources.py offers them, the device that each puts into the pod, and which types have it.
locals {
  accelerators = {
    A100 = { device = "nvidia-tesla-a100", families = ["p4d", "p4de"] }
    H100 = { device = "nvidia-h100", families = ["p5"] }
    L4   = { device = "nvidia-l4", families = ["g6", "gr6"] }
    L40S = { device = "nvidia-l40s", families = ["g6e"] }
    T4   = { device = "nvidia-tesla-t4", families = ["g4dn"] }
  }
}
