variable "flyte_project" {
  description = "Flyte's project. Its task pods run in the namespaces PROJECT-DOMAIN."
  type        = string
  default     = "assay"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.flyte_project))
    error_message = "flyte_project is \"${var.flyte_project}\". Give lower-case letters, digits and hyphens: a namespace is named after it."
  }
}

variable "flyte_domains" {
  description = "Flyte's domains whose task pods may use the data bucket."
  type        = list(string)
  default     = ["development", "staging", "production"]

  validation {
    condition = length(var.flyte_domains) > 0 && alltrue([
      for domain in var.flyte_domains : contains(["development", "staging", "production"], domain)
    ])
    error_message = "flyte_domains has something else than Flyte's development, staging and production."
  }
}

variable "flyte_quota" {
  description = "What all task pods of one domain may ask for together, unless infra/flyte says otherwise for a domain."
  type = object({
    cpu    = optional(number, 200)
    memory = optional(string, "800Gi")
    gpu    = optional(number, 8)
  })
  default = {}

  validation {
    condition     = var.flyte_quota.cpu >= 12 && can(regex("^[0-9]+(Gi|Ti)$", var.flyte_quota.memory))
    error_message = "flyte_quota needs cpu from 12 on, which one GPU task asks for, and memory like 800Gi."
  }
}

variable "database" {
  description = "PostgreSQL of Flyte."
  type = object({
    instance_class  = optional(string, "db.t4g.medium")
    storage_gib     = optional(number, 20)
    max_storage_gib = optional(number, 100)
    multi_az        = optional(bool, false)
    backup_days     = optional(number, 7)
  })
  default = {}

  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "database.backup_days is ${var.database.backup_days}. Set it to 1 to 35: 0 would switch backups off, and RDS keeps none longer."
  }

  validation {
    condition     = var.database.storage_gib >= 20 && var.database.max_storage_gib > var.database.storage_gib
    error_message = "database needs storage_gib from 20 on (gp3) and max_storage_gib above it, or it stops when it is full."
  }

  validation {
    condition     = can(regex("^db\\.", var.database.instance_class))
    error_message = "database.instance_class is \"${var.database.instance_class}\". Give a class of RDS, such as db.t4g.medium."
  }
}

variable "database_password_version" {
  description = "Raise it by one, apply, and run infra/install.sh, to give the database a new password."
  type        = number
  default     = 1

  validation {
    condition     = var.database_password_version >= 1 && floor(var.database_password_version) == var.database_password_version
    error_message = "database_password_version is ${var.database_password_version}. Give a whole number from 1 on, higher than before."
  }
}

variable "images_kept" {
  description = "How many images a repository keeps. A registered version of a workflow names its image: keep more than you will ever roll back."
  type        = number
  default     = 200

  validation {
    condition     = var.images_kept >= 10
    error_message = "images_kept is ${var.images_kept}. Keep 10 or more, or versions that are still registered lose their images."
  }
}

variable "serving_namespace" {
  description = "Namespace of the service; the overlay of infra/kubernetes sets it. Null: assay in prod, assay-dev in dev."
  type        = string
  default     = null

  validation {
    condition     = var.serving_namespace == null || can(regex("^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$", var.serving_namespace))
    error_message = "serving_namespace is no name of a namespace. Give lower-case letters, digits and hyphens."
  }
}
