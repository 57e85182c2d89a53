# Outlasts the loss of a zone, and is not destroyed by a command.
environment = "prod"
region      = "eu-central-1"
protected   = true

zones              = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
single_nat_gateway = false
log_retention_days = 365

system_nodes = {
  instance_types = ["m7i.xlarge", "m6i.xlarge"]
  min_size       = 3
  max_size       = 6
}

cpu_nodes = {
  max_on_demand = 10
  max_spot      = 50
  disk_gib      = 200
}

# l4 scores and trains small encoders, l40s those of some hundred million parameters, a100 on several GPUs (a node has eight).
gpu_node_groups = {
  l4 = {
    accelerator    = "L4"
    instance_types = ["g6.8xlarge"]
    max_on_demand  = 2
    max_spot       = 16
  }
  l40s = {
    accelerator    = "L40S"
    instance_types = ["g6e.4xlarge"]
    max_on_demand  = 2
    max_spot       = 8
  }
  a100 = {
    accelerator    = "A100"
    instance_types = ["p4d.24xlarge"]
    max_on_demand  = 1
    max_spot       = 2
    disk_gib       = 1000
  }
}

flyte_quota = { cpu = 500, memory = "2000Gi", gpu = 32 }

database = {
  instance_class  = "db.m7g.large"
  storage_gib     = 100
  max_storage_gib = 500
  multi_az        = true
  backup_days     = 14
}

images_kept = 200
