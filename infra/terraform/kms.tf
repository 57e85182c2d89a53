# Two keys: who may read the data bucket has no use of what encrypts the platform (secrets of the cluster, the database, its
# password, images, logs).

data "aws_iam_policy_document" "key" {
  for_each = toset(["data", "platform"])

  # Hands the decision to IAM: without it the key could not even be deleted by its account.
  #checkov:skip=CKV_AWS_109:A key's policy speaks of this key alone; this is how its account keeps control of it
  #checkov:skip=CKV_AWS_111:As above
  #checkov:skip=CKV_AWS_356:As above, "*" is the key itself
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account_id}:root"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "platform" ? [1] : []

    content {
      sid       = "Logs"
      actions   = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["logs.${var.region}.amazonaws.com"]
      }

      condition {
        test     = "ArnLike"
        variable = "kms:EncryptionContext:aws:logs:arn"
        values   = ["arn:${local.partition}:logs:${var.region}:${local.account_id}:log-group:*"]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "platform" ? [1] : []

    content {
      sid       = "Alarms"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
      resources = ["*"]

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
}

resource "aws_kms_key" "data" {
  description             = "${local.full_name}: the data bucket"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key["data"].json
}

resource "aws_kms_key" "platform" {
  description             = "${local.full_name}: secrets, database, images, logs"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key["platform"].json
}

resource "aws_kms_alias" "data" {
  name          = "alias/${local.full_name}-data"
  target_key_id = aws_kms_key.data.key_id
}

resource "aws_kms_alias" "platform" {
  name          = "alias/${local.full_name}-platform"
  target_key_id = aws_kms_key.platform.key_id
}
