# Where alarms go, of AWS and of Prometheus; alarms on what Prometheus cannot see; and the values of kube-prometheus-stack.

resource "aws_sns_topic" "alarms" {
  name              = "${local.full_name}-alarms"
  kms_master_key_id = aws_kms_key.platform.arn
}

resource "aws_sns_topic_subscription" "email" {
  count = var.alarm_email != null ? 1 : 0

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

data "aws_iam_policy_document" "alarms" {
  statement {
    sid       = "CloudWatch"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.alarms.json
}

locals {
  database_alarms = {
    storage = {
      metric     = "FreeStorageSpace"
      comparison = "LessThanThreshold"
      threshold  = 5 * pow(1024, 3)
      what       = "Less than 5 GiB are free: max_storage_gib is reached, or growth is faster than RDS follows."
    }
    cpu = {
      metric     = "CPUUtilization"
      comparison = "GreaterThanThreshold"
      threshold  = 80
      what       = "Over 80 % busy for a quarter of an hour."
    }
    memory = {
      metric     = "FreeableMemory"
      comparison = "LessThanThreshold"
      threshold  = 256 * pow(1024, 2)
      what       = "Less than 256 MiB of memory are left."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "database" {
  for_each = local.database_alarms

  alarm_name          = "${local.full_name}-database-${each.key}"
  alarm_description   = each.value.what
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  statistic           = "Average"
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = 3
  treat_missing_data  = "breaching" # a database that tells nothing is down
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  dimensions = {
    DBInstanceIdentifier = aws_db_instance.flyte.identifier
  }
}

locals {
  prometheus_values = templatefile("${path.module}/templates/kube-prometheus-stack.yaml.tftpl", {
    pool_label        = local.pool_label
    region            = var.region
    topic_arn         = aws_sns_topic.alarms.arn
    alertmanager_role = aws_iam_role.service_account["alertmanager"].arn
    grafana_role      = aws_iam_role.service_account["grafana"].arn
    retention_days    = var.environment == "prod" ? 30 : 7
    storage_gib       = var.environment == "prod" ? 100 : 20
    # The rules are kept, checked and tested as Prometheus has them; the operator wants them inside its values.
    rules = yamldecode(file("${path.module}/../monitoring/rules.yaml"))
  })
}
