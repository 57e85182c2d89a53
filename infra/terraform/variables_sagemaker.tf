# SageMaker beside the cluster, or in its place.

variable "sagemaker" {
  description = "Whether roles, policy and alarms for SageMaker are made."
  type        = bool
  default     = false
}
