output "cluster_name" {
  description = "For `aws eks update-kubeconfig --name`."
  value       = aws_eks_cluster.this.name
}

output "region" {
  description = "Region of everything."
  value       = var.region
}

output "environment" {
  description = "dev or prod."
  value       = var.environment
}

output "data_bucket" {
  description = "Bucket of registry, corpora, scores and what Flyte keeps."
  value       = aws_s3_bucket.data.bucket
}

output "registry_location" {
  description = "ASSAY_REGISTRY: where models are registered. What is called registry here is never that of images."
  value       = local.task_environment.ASSAY_REGISTRY
}

output "raw_data_prefix" {
  description = "For `pyflyte run --raw-output-data-prefix`: where outputs of tasks go."
  value       = "${local.bucket_url}/${local.prefixes.raw}"
}

output "registry_urls" {
  description = "Where images are pushed: task, task-gpu, serve."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "task_role_arn" {
  description = "What task pods may do, through the service account `default` of each domain's namespace."
  value       = aws_iam_role.service_account["tasks"].arn
}

output "serving_role_arn" {
  description = "What the service may do, through the service account assay-serving."
  value       = aws_iam_role.service_account["serving"].arn
}

output "serving_namespace" {
  description = "Namespace of the service."
  value       = local.serving_namespace
}

output "flyte_role_arn" {
  description = "What Flyte's backend may do."
  value       = aws_iam_role.service_account["flyte"].arn
}

output "ci_role_arns" {
  description = "Roles of workflows on GitHub: push (images), plan. Empty where github_repository is null."
  value       = { for name, role in aws_iam_role.github : name => role.arn }
}

output "kms_key_arn" {
  description = "Key of the data bucket."
  value       = aws_kms_key.data.arn
}

output "platform_kms_key_arn" {
  description = "Key of everything else."
  value       = aws_kms_key.platform.arn
}

output "database_secret_arn" {
  description = "Secret with the password of Flyte's database; infra/install.sh reads it."
  value       = aws_secretsmanager_secret.database.arn
}

output "alarm_topic_arn" {
  description = "Topic to which alarms go."
  value       = aws_sns_topic.alarms.arn
}

output "flyte_namespaces" {
  description = "Namespaces of task pods."
  value       = [for domain in var.flyte_domains : "${var.flyte_project}-${domain}"]
}

output "helm_values" {
  description = "Values by release, as YAML."
  value = {
    cluster-autoscaler    = local.autoscaler_values
    flyte-binary          = local.flyte_values
    gpu-operator          = local.gpu_operator_values
    kube-prometheus-stack = local.prometheus_values
  }
}

output "kustomizations" {
  description = "kustomization.yaml by folder."
  value = {
    serving           = local.serving_kustomization
    training-operator = local.training_operator_kustomization
  }
}

output "sagemaker" {
  description = "Role, policy of a deployer, place of models and alarms of SageMaker; null where it is off."
  value       = one(module.sagemaker)
}
