# Who may do what: one role for each service account of the cluster that needs AWS, trusted by that account alone.

data "aws_iam_policy_document" "trust_service" {
  for_each = toset(["ec2", "eks", "monitoring.rds", "vpc-flow-logs"])

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }
  }
}

resource "aws_iam_openid_connect_provider" "cluster" {
  url            = aws_eks_cluster.this.identity[0].oidc[0].issuer
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  issuer            = trimprefix(aws_eks_cluster.this.identity[0].oidc[0].issuer, "https://")
  serving_namespace = coalesce(var.serving_namespace, var.environment == "prod" ? "assay" : "assay-dev")

  # Service accounts as namespace:name. Those of tasks are made by Flyte, one in the namespace of each domain.
  service_accounts = {
    tasks        = [for domain in var.flyte_domains : "${var.flyte_project}-${domain}:default"]
    serving      = ["${local.serving_namespace}:assay-serving"]
    flyte        = ["flyte:flyte-binary"]
    autoscaler   = ["kube-system:cluster-autoscaler"]
    grafana      = ["monitoring:kube-prometheus-stack-grafana"]
    alertmanager = ["monitoring:kube-prometheus-stack-alertmanager"]
    cni          = ["kube-system:aws-node"]
    ebs-csi      = ["kube-system:ebs-csi-controller-sa"]
  }

  # AWS's own policies, of the two parts of the cluster that AWS makes.
  managed_policies = {
    cni     = "AmazonEKS_CNI_Policy"
    ebs-csi = "service-role/AmazonEBSCSIDriverPolicy"
  }

  policies = {
    tasks        = data.aws_iam_policy_document.tasks.json
    serving      = data.aws_iam_policy_document.serving.json
    flyte        = data.aws_iam_policy_document.flyte.json
    autoscaler   = data.aws_iam_policy_document.autoscaler.json
    grafana      = data.aws_iam_policy_document.grafana.json
    alertmanager = data.aws_iam_policy_document.alertmanager.json
  }
}

data "aws_iam_policy_document" "trust_service_account" {
  for_each = local.service_accounts

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.cluster.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = [for account in each.value : "system:serviceaccount:${account}"]
    }
  }
}

resource "aws_iam_role" "service_account" {
  for_each = local.service_accounts

  name               = "${local.full_name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust_service_account[each.key].json
}

resource "aws_iam_role_policy" "service_account" {
  for_each = local.policies

  name   = "needs"
  role   = aws_iam_role.service_account[each.key].id
  policy = each.value
}

resource "aws_iam_role_policy_attachment" "service_account" {
  for_each = local.managed_policies

  role       = aws_iam_role.service_account[each.key].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.value}"
}

# The driver's disks are encrypted with AWS's own key of EBS, which its policy covers.

data "aws_iam_policy_document" "tasks" {
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.data.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [local.prefixes.all, "${local.prefixes.all}/*"]
    }
  }

  statement {
    sid = "Objects"
    actions = [
      "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject",
    ]
    resources = ["${aws_s3_bucket.data.arn}/${local.prefixes.all}/*"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.data.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "serving" {
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.data.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [local.prefixes.registry, "${local.prefixes.registry}/*"]
    }
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.data.arn}/${local.prefixes.registry}/*"]
  }

  # It writes scores without ever reading them again.
  statement {
    sid       = "Log"
    actions   = ["s3:AbortMultipartUpload", "s3:PutObject"]
    resources = ["${aws_s3_bucket.data.arn}/${local.prefixes.log}/*"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.data.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }
}

# Flyte's backend writes what it knows of executions, and signs the URLs by which code is uploaded and Decks are read. The
# registry, corpora and scores are none of its business.
data "aws_iam_policy_document" "flyte" {
  statement {
    sid       = "Find"
    actions   = ["s3:GetBucketLocation"]
    resources = [aws_s3_bucket.data.arn]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.data.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = flatten([for name in ["metadata", "raw", "uploads"] : [local.prefixes[name], "${local.prefixes[name]}/*"]])
    }
  }

  statement {
    sid       = "Objects"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = [for name in ["metadata", "raw", "uploads"] : "${aws_s3_bucket.data.arn}/${local.prefixes[name]}/*"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.data.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "autoscaler" {
  #checkov:skip=CKV_AWS_356:AWS lets these Describe calls be given for everything or not at all
  statement {
    sid = "Look"
    actions = [
      "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances",
      "autoscaling:DescribeLaunchConfigurations", "autoscaling:DescribeScalingActivities", "autoscaling:DescribeTags",
      "ec2:DescribeImages", "ec2:DescribeInstanceTypes", "ec2:DescribeLaunchTemplateVersions",
      "ec2:GetInstanceTypesFromInstanceRequirements",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "Groups"
    actions   = ["eks:DescribeNodegroup"]
    resources = ["arn:${local.partition}:eks:${var.region}:${local.account_id}:nodegroup/${local.full_name}/*"]
  }

  statement {
    sid       = "Scale"
    actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["arn:${local.partition}:autoscaling:${var.region}:${local.account_id}:autoScalingGroup:*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/eks:cluster-name"
      values   = [local.full_name]
    }
  }
}

# Grafana shows the database beside the cluster.
data "aws_iam_policy_document" "grafana" {
  #checkov:skip=CKV_AWS_356:Metrics have no ARN: CloudWatch lets them be read all or not at all
  statement {
    sid       = "Metrics"
    actions   = ["cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics", "cloudwatch:ListMetrics"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "alertmanager" {
  statement {
    sid       = "Alarms"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.platform.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sns.${var.region}.amazonaws.com"]
    }
  }
}
