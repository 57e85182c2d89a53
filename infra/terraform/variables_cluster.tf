variable "cluster_version" {
  description = "Kubernetes of the cluster and its nodes, upgraded one minor version at a time."
  type        = string
  default     = "1.35"

  validation {
    condition     = can(regex("^1\\.(3[3-9]|[4-9][0-9])$", var.cluster_version))
    error_message = "cluster_version is \"${var.cluster_version}\". Give a minor version like 1.35 that EKS still supports; older than 1.33 costs extra."
  }
}

variable "cluster_public_cidrs" {
  description = "From where the Kubernetes API can be reached over the internet; empty: only from inside the VPC."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.cluster_public_cidrs : can(cidrhost(cidr, 0)) && !can(regex("/[0-7]$", cidr))])
    error_message = "cluster_public_cidrs opens the Kubernetes API to more than a /8, or is no list of networks. Name the addresses of your office or VPN, such as 192.0.2.0/24."
  }
}

variable "cluster_admin_arns" {
  description = "IAM roles and users, besides the one that creates the cluster, that may do everything in it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.cluster_admin_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$", arn))])
    error_message = "cluster_admin_arns has something else than ARNs of IAM roles or users, such as arn:aws:iam::123456789012:role/admin."
  }
}

variable "system_nodes" {
  description = "On-demand nodes of what must always run: Flyte, Prometheus, operators, DNS."
  type = object({
    instance_types = optional(list(string), ["m7i.xlarge"])
    min_size       = optional(number, 2)
    max_size       = optional(number, 4)
    disk_gib       = optional(number, 50)
  })
  default = {}

  validation {
    condition     = var.system_nodes.min_size >= 2 && var.system_nodes.max_size >= var.system_nodes.min_size
    error_message = "system_nodes needs min_size from 2 on (one node can be lost) and max_size not below it."
  }
}

variable "cpu_nodes" {
  description = "Nodes of CPU tasks and of the service, from none. The types must be of one size: the autoscaler takes the first as the measure of all."
  type = object({
    # `heavy` of tasks/support/resources.py asks for 4 CPUs, of which a node of 4 has 3.92 to give.
    instance_types = optional(list(string), ["m7i.2xlarge", "m6i.2xlarge", "m6a.2xlarge", "m5.2xlarge"])
    max_on_demand  = optional(number, 4)
    max_spot       = optional(number, 20)
    disk_gib       = optional(number, 200)
  })
  default = {}

  validation {
    condition     = length(distinct([for type in var.cpu_nodes.instance_types : split(".", type)[1]])) == 1
    error_message = "cpu_nodes.instance_types are of several sizes, or none. Name types of one size, such as m7i.2xlarge and m6i.2xlarge."
  }

  validation {
    condition     = var.cpu_nodes.max_on_demand >= 1 && var.cpu_nodes.max_spot >= 1
    error_message = "cpu_nodes needs max_on_demand and max_spot from 1 on: the last attempt of a task is made on demand."
  }
}

variable "gpu_node_groups" {
  description = <<-EOT
    Groups of GPU nodes by name, each from none: for every one a spot group and an on-demand group are made. `accelerator` is
    one of flytekit's names, which becomes the label that Flyte asks for; `instance_types` must have that GPU.
  EOT
  type = map(object({
    accelerator    = string
    instance_types = list(string)
    max_on_demand  = optional(number, 1)
    max_spot       = optional(number, 4)
    disk_gib       = optional(number, 300)
  }))

  validation {
    condition     = alltrue([for group in values(var.gpu_node_groups) : contains(keys(local.accelerators), group.accelerator)])
    error_message = "gpu_node_groups has an unknown accelerator. Use one of ${join(", ", keys(local.accelerators))}: what ASSAY_ACCELERATOR may be."
  }

  validation {
    condition = alltrue([
      for group in values(var.gpu_node_groups) : length(group.instance_types) > 0 && alltrue([
        for type in group.instance_types :
        contains(try(local.accelerators[group.accelerator].families, [split(".", type)[0]]), split(".", type)[0])
      ])
    ])
    error_message = "gpu_node_groups has instance types without the accelerator named. They go together like this: ${join("; ", [for name, each in local.accelerators : "${name}: ${join(", ", each.families)}"])}."
  }

  validation {
    condition     = alltrue([for group in values(var.gpu_node_groups) : group.max_on_demand >= 1 && group.max_spot >= 1])
    error_message = "gpu_node_groups needs max_on_demand and max_spot from 1 on: the last attempt of a task is made on demand."
  }

  validation {
    condition     = alltrue([for name in keys(var.gpu_node_groups) : can(regex("^[a-z][a-z0-9]{0,11}$", name))])
    error_message = "gpu_node_groups has a name that is not made of 1 to 12 lower-case letters and digits, a letter first."
  }
}
