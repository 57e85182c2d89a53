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
  description = "In how many availability zones subnets lie. EKS asks for two; three outlast the loss of one with a majority."
  type        = number
  default     = 3

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "zones is ${var.zones}. Set it to 2 or 3."
  }
}

variable "single_nat_gateway" {
  description = "One NAT gateway for all zones: cheaper, and without a way out for all when its zone is lost."
  type        = bool
  default     = false
}
