# SageMaker as a place of training and serving: the role that its containers run as, what a person or a pipeline needs who
# runs `assay deploy --target sagemaker` and `assay sagemaker train`, and the alarms that roll an update back.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  sagemaker = "arn:${local.partition}:sagemaker:${local.region}:${local.account}"
  bucket    = "arn:${local.partition}:s3:::${var.bucket}"
  # Models that `assay deploy` packs, and what jobs write.
  written = ["${local.bucket}/${var.prefix}/sagemaker/*"]
  read    = concat(local.written, ["${local.bucket}/${var.prefix}/registry/*", "${local.bucket}/${var.prefix}/labels/*"])
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["sagemaker.amazonaws.com"]
    }

    # Without it, SageMaker could be made to take this role for another account.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "containers" {
  name               = "${var.full_name}-sagemaker"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "containers" {
  statement {
    sid       = "ReadModelsAndLabels"
    actions   = ["s3:GetObject"]
    resources = local.read
  }

  statement {
    sid       = "WriteModels"
    actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
    resources = local.written
  }

  statement {
    sid       = "ListThePrefix"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${var.prefix}/*"]
    }
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "PullImages"
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    resources = var.repository_arns
  }

  # The two actions that know no resource.
  statement {
    sid       = "SignIn"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "Measure"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringLike"
      variable = "cloudwatch:namespace"
      values   = ["AWS/SageMaker", "/aws/sagemaker/*"]
    }
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/sagemaker/*"]
  }
}

resource "aws_iam_role_policy" "containers" {
  name   = "containers"
  role   = aws_iam_role.containers.id
  policy = data.aws_iam_policy_document.containers.json
}

data "aws_iam_policy_document" "deployer" {
  statement {
    sid = "Endpoints"
    actions = [
      "sagemaker:AddTags", "sagemaker:ListTags",
      "sagemaker:CreateModel", "sagemaker:DescribeModel", "sagemaker:DeleteModel",
      "sagemaker:CreateEndpointConfig", "sagemaker:DescribeEndpointConfig", "sagemaker:DeleteEndpointConfig",
      "sagemaker:CreateEndpoint", "sagemaker:DescribeEndpoint", "sagemaker:UpdateEndpoint", "sagemaker:DeleteEndpoint",
      "sagemaker:InvokeEndpoint",
    ]
    resources = [for kind in ["model", "endpoint-config", "endpoint"] : "${local.sagemaker}:${kind}/${var.endpoint}*"]
  }

  statement {
    sid       = "Jobs"
    actions   = ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:AddTags"]
    resources = ["${local.sagemaker}:training-job/assay-*"]
  }

  statement {
    sid       = "Role"
    actions   = ["iam:GetRole"]
    resources = [aws_iam_role.containers.arn]
  }

  statement {
    sid       = "PassTheRole"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.containers.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["sagemaker.amazonaws.com"]
    }
  }

  statement {
    sid       = "Images"
    actions   = ["ecr:DescribeImages"]
    resources = var.repository_arns
  }

  statement {
    sid       = "Models"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = local.written
  }

  statement {
    sid       = "Registry"
    actions   = ["s3:GetObject"]
    resources = local.read
  }

  statement {
    sid       = "Bucket"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "Scaling"
    actions   = ["application-autoscaling:RegisterScalableTarget", "application-autoscaling:PutScalingPolicy"]
    resources = ["arn:${local.partition}:application-autoscaling:${local.region}:${local.account}:scalable-target/*"]
  }

  # Made once in an account, by the first autoscaling of an endpoint.
  statement {
    sid       = "RoleOfTheScaling"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["arn:${local.partition}:iam::${local.account}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = ["sagemaker.application-autoscaling.amazonaws.com"]
    }
  }

  statement {
    sid       = "Alarms"
    actions   = ["cloudwatch:DescribeAlarms"]
    resources = ["arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:*"]
  }
}

# For a group, a role or a pipeline: who gets it is said by whoever runs the account.
resource "aws_iam_policy" "deployer" {
  name   = "${var.full_name}-sagemaker-deployer"
  policy = data.aws_iam_policy_document.deployer.json
}

locals {
  dimensions = { EndpointName = var.endpoint, VariantName = "AllTraffic" }
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.endpoint}-5xx"
  alarm_description   = "More than ${var.error_rate * 100} % of the requests to ${var.endpoint} fail. An update is rolled back."
  namespace           = "AWS/SageMaker"
  metric_name         = "Invocation5XXErrors"
  statistic           = "Average" # of zeros and ones, one a request: the share that failed
  dimensions          = local.dimensions
  period              = 60
  evaluation_periods  = 2
  datapoints_to_alarm = 2
  threshold           = var.error_rate
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching" # no requests, no errors
  alarm_actions       = var.topic_arns
}

resource "aws_cloudwatch_metric_alarm" "latency" {
  alarm_name          = "${var.endpoint}-latency"
  alarm_description   = "One request in a hundred to ${var.endpoint} takes over ${var.latency_seconds} s. An update is rolled back."
  namespace           = "AWS/SageMaker"
  metric_name         = "ModelLatency"
  extended_statistic  = "p99"
  dimensions          = local.dimensions
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  threshold           = var.latency_seconds * 1000000 # the metric is in microseconds
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.topic_arns
}
