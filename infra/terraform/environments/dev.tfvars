# Small, and gone with one `terraform destroy`: nothing in it is kept.
environment = "dev"
region      = "eu-central-1"
protected   = false

zones              = ["eu-central-1a", "eu-central-1b"]
single_nat_gateway = true
log_retention_days = 30

system_nodes = {
  instance_types = ["m7i.large", "m6i.large"]
  min_size       = 2
  max_size       = 3
}

cpu_nodes = {
  max_on_demand = 2
  max_spot      = 4
  disk_gib      = 100
}

# One GPU of 24 GB, 32 CPUs, 128 GiB. Types with 16 CPUs have 64 GiB, less than the 64Gi that a GPU task asks for leaves.
gpu_node_groups = {
  l4 = {
    accelerator    = "L4"
    instance_types = ["g6.8xlarge"]
    max_on_demand  = 1
    max_spot       = 2
    disk_gib       = 200
  }
}

flyte_domains = ["development"]
flyte_quota   = { cpu = 100, memory = "400Gi", gpu = 2 }

database = {
  instance_class  = "db.t4g.medium"
  storage_gib     = 20
  max_storage_gib = 50
  multi_az        = false
  backup_days     = 1
}

images_kept = 30
