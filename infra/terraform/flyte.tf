# Values of the chart flyte-binary.

locals {
  bucket_url = "s3://${aws_s3_bucket.data.bucket}"

  # What tasks read where no place is given to a workflow (tasks/support/settings.py).
  task_environment = {
    ASSAY_REGISTRY = "${local.bucket_url}/${local.prefixes.registry}"
    ASSAY_SCORES   = "${local.bucket_url}/${local.prefixes.all}/scores"
    ASSAY_PIECES   = "${local.bucket_url}/${local.prefixes.all}/pieces"
    ASSAY_MIXTURES = "${local.bucket_url}/${local.prefixes.all}/mixtures"
    ASSAY_LEDGER   = "${local.bucket_url}/${local.prefixes.all}/ledger"
    ASSAY_ANSWERS  = "${local.bucket_url}/${local.prefixes.all}/answers"
    ASSAY_LOOKS    = "${local.bucket_url}/${local.prefixes.all}/looks"

    # What the service writes and the watch reads, and where the service is.
    ASSAY_WATCH_LOG        = "${local.bucket_url}/${local.prefixes.log}"
    ASSAY_DEPLOY_NAMESPACE = local.serving_namespace
  }

  flyte_values = templatefile("${path.module}/templates/flyte.yaml.tftpl", {
    region            = var.region
    bucket            = aws_s3_bucket.data.bucket
    prefixes          = local.prefixes
    database_host     = aws_db_instance.flyte.address
    database_port     = local.database_port
    database_name     = local.database_name
    database_user     = local.database_user
    flyte_role        = aws_iam_role.service_account["flyte"].arn
    task_role         = aws_iam_role.service_account["tasks"].arn
    project           = var.flyte_project
    domains           = var.flyte_domains
    quota             = var.flyte_quota
    task_environment  = local.task_environment
    pool_label        = local.pool_label
    accelerator_label = local.accelerator_label
    gpu_taint         = local.gpu_taint
    spot_taint        = local.spot_taint
  })
}
