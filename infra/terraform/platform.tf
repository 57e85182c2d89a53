# Values and kustomizations of the rest that runs in the cluster. infra/install.sh takes them from the outputs.

locals {
  autoscaler_values = templatefile("${path.module}/templates/cluster-autoscaler.yaml.tftpl", {
    cluster_name    = local.full_name
    cluster_version = var.cluster_version
    region          = var.region
    role            = aws_iam_role.service_account["autoscaler"].arn
    pool_label      = local.pool_label
  })

  gpu_operator_values = templatefile("${path.module}/templates/gpu-operator.yaml.tftpl", {
    pool_label = local.pool_label
    gpu_taint  = local.gpu_taint
    spot_taint = local.spot_taint
  })

  training_operator_kustomization = templatefile("${path.module}/templates/training-operator.yaml.tftpl", {
    version    = "v1.9.3"
    pool_label = local.pool_label
  })

  # infra/install.sh puts it into a folder of its own, two below the project's root.
  serving_kustomization = templatefile("${path.module}/templates/serving.yaml.tftpl", {
    base     = "../../../infra/kubernetes/overlays/${var.environment}"
    image    = aws_ecr_repository.this["serve"].repository_url
    role     = aws_iam_role.service_account["serving"].arn
    registry = local.task_environment.ASSAY_REGISTRY
    log      = local.task_environment.ASSAY_WATCH_LOG
  })
}
