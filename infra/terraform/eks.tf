# The control plane, its add-ons, and who may use it.

resource "aws_cloudwatch_log_group" "cluster" {
  # EKS writes to a group of this name, and makes it, unencrypted and for ever, where it is missing.
  name              = "/aws/eks/${local.full_name}/cluster"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.platform.arn
}

resource "aws_iam_role" "cluster" {
  name               = "${local.full_name}-cluster"
  assume_role_policy = data.aws_iam_policy_document.trust_service["eks"].json
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/AmazonEKSClusterPolicy"
}

data "aws_iam_policy_document" "cluster" {
  statement {
    sid       = "Secrets"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:ListGrants"]
    resources = [aws_kms_key.platform.arn]
  }
}

resource "aws_iam_role_policy" "cluster" {
  name   = "needs"
  role   = aws_iam_role.cluster.id
  policy = data.aws_iam_policy_document.cluster.json
}

resource "aws_eks_cluster" "this" {
  #checkov:skip=CKV_AWS_39:Open only to cluster_public_cidrs; where that is empty, to nobody
  name                          = local.full_name
  version                       = var.cluster_version
  role_arn                      = aws_iam_role.cluster.arn
  enabled_cluster_log_types     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  bootstrap_self_managed_addons = false

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = true
  }

  vpc_config {
    subnet_ids              = [for subnet in aws_subnet.private : subnet.id]
    endpoint_private_access = true
    endpoint_public_access  = length(var.cluster_public_cidrs) > 0
    public_access_cidrs     = length(var.cluster_public_cidrs) > 0 ? var.cluster_public_cidrs : null
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = aws_kms_key.platform.arn
    }
  }

  upgrade_policy {
    support_type = "STANDARD" # rather upgraded by AWS than paid for six times as much
  }

  depends_on = [aws_cloudwatch_log_group.cluster, aws_iam_role_policy.cluster, aws_iam_role_policy_attachment.cluster]
}

resource "aws_eks_access_entry" "admin" {
  for_each = toset(var.cluster_admin_arns)

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.key
}

resource "aws_eks_access_policy_association" "admin" {
  for_each = toset(var.cluster_admin_arns)

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.key
  policy_arn    = "arn:${local.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }

  depends_on = [aws_eks_access_entry.admin]
}

# The network before the nodes, which are not ready without it; the rest after them, since it runs on them.
resource "aws_eks_addon" "network" {
  for_each = toset(["kube-proxy", "vpc-cni"])

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  service_account_role_arn    = each.key == "vpc-cni" ? aws_iam_role.service_account["cni"].arn : null
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  # Without it the NetworkPolicy of infra/kubernetes would be accepted and ignored.
  configuration_values = each.key == "vpc-cni" ? jsonencode({ enableNetworkPolicy = "true" }) : null

  depends_on = [aws_iam_role_policy_attachment.service_account]
}

resource "aws_eks_addon" "workload" {
  for_each = {
    coredns            = null
    metrics-server     = null # what the service's autoscaler measures by
    aws-ebs-csi-driver = aws_iam_role.service_account["ebs-csi"].arn
  }

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  service_account_role_arn    = each.value
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_eks_node_group.this, aws_iam_role_policy_attachment.service_account]
}
