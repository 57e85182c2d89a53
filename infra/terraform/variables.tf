# What the whole is called, where it lies, and how well it is guarded.

variable "name" {
  description = "First part of all names, and the prefix in the data bucket under which everything lies."
  type        = string
  default     = "assay"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.name))
    error_message = "name is \"${var.name}\". Give 2 to 16 lower-case letters, digits and hyphens, a letter first: bucket names are made of it."
  }
}

variable "environment" {
  description = "Which of the environments this is. Also the overlay of infra/kubernetes that is served."
  type        = string

  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "environment is \"${var.environment}\". Set it to dev or prod; environments/ has a file for each."
  }
}

variable "region" {
  description = "AWS region of everything."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is \"${var.region}\". Give a region's code, such as eu-central-1."
  }
}

variable "tags" {
  description = "Further tags of every resource, for instance the team that pays."
  type        = map(string)
  default     = {}
}

variable "protected" {
  description = "Whether data may not be lost to one command: false lets `terraform destroy` remove full buckets, images and the database."
  type        = bool
  default     = true

  validation {
    condition     = var.protected || var.environment != "prod"
    error_message = "protected is false in prod. Leave it true; to take prod down for good, lift each protection by hand."
  }
}

variable "log_retention_days" {
  description = "How long logs of the control plane, the network, the database and the buckets are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827], var.log_retention_days)
    error_message = "log_retention_days is ${var.log_retention_days}. CloudWatch knows 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096 and 1827 days (and fewer, which is too few to look into an incident)."
  }
}

variable "alarm_email" {
  description = "Who is written to when an alarm goes off; null: nobody, and the topic is there to be subscribed to."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.alarm_email))
    error_message = "alarm_email is no address. Give one like team@example.org, or leave it out."
  }
}

variable "github_repository" {
  description = "The repository, as owner/name, whose workflows may push images and plan; null: none may."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.github_repository))
    error_message = "github_repository is not of the form owner/name. A pattern such as owner/* would let other repositories in."
  }
}

variable "github_oidc_provider_arn" {
  description = "The account's OIDC provider of GitHub, where one is there already (an account has only one); null: it is made."
  type        = string
  default     = null

  validation {
    condition     = var.github_oidc_provider_arn == null || can(regex(":oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.github_oidc_provider_arn))
    error_message = "github_oidc_provider_arn is not that of token.actions.githubusercontent.com. `aws iam list-open-id-connect-providers` shows it."
  }
}
