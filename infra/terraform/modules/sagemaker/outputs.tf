output "role_arn" {
  description = "Role of the containers: `--role`."
  value       = aws_iam_role.containers.arn
}

output "deployer_policy_arn" {
  description = "What `assay deploy --target sagemaker` and `assay sagemaker train` need."
  value       = aws_iam_policy.deployer.arn
}

output "place" {
  description = "Folder of model data: `--place`."
  value       = "s3://${var.bucket}/${var.prefix}/sagemaker"
}

output "alarms" {
  description = "Alarms that roll an update back: `--alarms`."
  value       = join("+", [aws_cloudwatch_metric_alarm.errors.alarm_name, aws_cloudwatch_metric_alarm.latency.alarm_name])
}
