variable "full_name" {
  description = "First part of the names of roles and policies."
  type        = string
}

variable "bucket" {
  description = "Name of the data bucket."
  type        = string
}

variable "prefix" {
  description = "Prefix in the bucket under which the registry, the labels and the models of SageMaker lie."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the data bucket."
  type        = string
}

variable "repository_arns" {
  description = "Repositories of ECR whose images run."
  type        = list(string)
}

variable "endpoint" {
  description = "Name of the endpoint, as `assay deploy --name`. The endpoint itself is made by that command."
  type        = string
  default     = "assay-serving"
}

variable "error_rate" {
  description = "Share of failed requests from which an alarm goes off."
  type        = number
  default     = 0.01
}

variable "latency_seconds" {
  description = "Seconds of the slowest request in a hundred from which an alarm goes off."
  type        = number
  default     = 2
}

variable "topic_arns" {
  description = "Who is told of an alarm."
  type        = list(string)
  default     = []
}
