# What workflows on GitHub may do, without a key that could be lost: each run shows a token of its own. Nothing of this is
# made where github_repository is null.

locals {
  github     = "token.actions.githubusercontent.com"
  github_arn = var.github_oidc_provider_arn != null ? var.github_oidc_provider_arn : one(aws_iam_openid_connect_provider.github[*].arn)
  # A plan reads the password of the database, and runs the code of a pull request. So its role is given to no pull request,
  # but to an environment of GitHub, whose reviewers approve each run that uses it.
  github_runs = var.github_repository == null ? {} : {
    push = ["ref:refs/heads/main", "ref:refs/tags/v*"]
    plan = ["environment:plan-${var.environment}"]
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.github_repository != null && var.github_oidc_provider_arn == null ? 1 : 0

  url            = "https://${local.github}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "trust_github" {
  for_each = local.github_runs

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.github_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.github}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringLike"
      variable = "${local.github}:sub"
      values   = [for run in each.value : "repo:${var.github_repository}:${run}"]
    }
  }
}

resource "aws_iam_role" "github" {
  for_each = local.github_runs

  name               = "${local.full_name}-github-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust_github[each.key].json
}

data "aws_iam_policy_document" "github_push" {
  #checkov:skip=CKV_AWS_356:A token to log in with is given for the whole registry or not at all
  statement {
    sid       = "LogIn"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid = "Push"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
      "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
    ]
    resources = [for repository in aws_ecr_repository.this : repository.arn]
  }
}

resource "aws_iam_role_policy" "github_push" {
  count = var.github_repository != null ? 1 : 0

  name   = "needs"
  role   = aws_iam_role.github["push"].id
  policy = data.aws_iam_policy_document.github_push.json
}

# A plan looks at everything that is here, and at nothing that is in it but the database's password, which the provider
# reads to see whether it is still the one that is kept. Who may plan can thus read the password: see github_runs.
resource "aws_iam_role_policy_attachment" "github_plan" {
  count = var.github_repository != null ? 1 : 0

  role       = aws_iam_role.github["plan"].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/ReadOnlyAccess"
}

data "aws_iam_policy_document" "github_plan" {
  statement {
    sid       = "NoData"
    effect    = "Deny"
    actions   = ["s3:GetObject*"]
    resources = ["${aws_s3_bucket.data.arn}/*", "${aws_s3_bucket.logs.arn}/*"]
  }

  statement {
    sid       = "Password"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.database.arn]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.platform.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${var.region}.amazonaws.com"]
    }
  }

  # The random password that an ephemeral resource draws at every plan, and that is thrown away.
  statement {
    sid       = "Draw"
    actions   = ["secretsmanager:GetRandomPassword"]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "github_plan" {
  count = var.github_repository != null ? 1 : 0

  name   = "needs"
  role   = aws_iam_role.github["plan"].id
  policy = data.aws_iam_policy_document.github_plan.json
}
