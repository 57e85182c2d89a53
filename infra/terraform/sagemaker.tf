# SageMaker, where `sagemaker` is true: see modules/sagemaker.

module "sagemaker" {
  source = "./modules/sagemaker"
  count  = var.sagemaker ? 1 : 0

  full_name       = local.full_name
  bucket          = local.data_bucket
  prefix          = var.name
  kms_key_arn     = aws_kms_key.data.arn
  repository_arns = [for each in aws_ecr_repository.this : each.arn]
  topic_arns      = [aws_sns_topic.alarms.arn]
}
