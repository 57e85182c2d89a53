variable "vpc_cidr" {
  description = "Addresses of the VPC. A pod has an address of its own: private subnets take most of it."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && can(regex("/1[6-8]$", var.vpc_cidr))
    error_message = "vpc_cidr is \"${var.vpc_cidr}\". Give a network from /16 to /18 that no network you peer with uses, such as 10.40.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones of the subnets, by name: EKS asks for two; three outlast the loss of one with a majority."
  type        = list(string)

  validation {
    condition     = contains([2, 3], length(distinct(var.zones))) && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones has ${length(var.zones)} zones, or one twice. Name 2 or 3, such as ${var.region}a and ${var.region}b."
  }

  validation {
    condition     = alltrue([for zone in var.zones : can(regex("^${var.region}[a-z]$", zone))])
    error_message = "zones has one that is not of ${var.region}. `aws ec2 describe-availability-zones` lists them."
  }
}

variable "single_nat_gateway" {
  description = "One NAT gateway for all zones: cheaper, and without a way out for all when its zone is lost."
  type        = bool
  default     = false
}
