# Groups of nodes. Task pods find theirs by what Flyte writes into them (templates/flyte.yaml.tftpl): nodes of GPUs by the
# accelerator's label, spot nodes by a toleration; what carries neither stays away because of the taints.

locals {
  accelerator_label = "k8s.amazonaws.com/accelerator" # Flyte's default, and the one that the autoscaler knows
  pool_label        = "${var.name}/pool"
  gpu_taint         = { key = "nvidia.com/gpu", value = "present", effect = "NO_SCHEDULE" }
  spot_taint        = { key = "${var.name}/spot", value = "true", effect = "NO_SCHEDULE" }

  system_group = {
    system = merge(var.system_nodes, {
      capacity = "ON_DEMAND", gpu = false, labels = { (local.pool_label) = "system" }, taints = []
    })
  }

  cpu_groups = {
    for capacity, max in { ON_DEMAND = var.cpu_nodes.max_on_demand, SPOT = var.cpu_nodes.max_spot } :
    capacity == "SPOT" ? "cpu-spot" : "cpu" => {
      instance_types = var.cpu_nodes.instance_types
      min_size       = 0
      max_size       = max
      disk_gib       = var.cpu_nodes.disk_gib
      capacity       = capacity
      gpu            = false
      labels         = { (local.pool_label) = "cpu" }
      taints         = capacity == "SPOT" ? [local.spot_taint] : []
    }
  }

  # Interruptible tasks go to spot nodes while there are any; their last attempt, and what is not interruptible, does not.
  gpu_groups = merge([
    for name, group in var.gpu_node_groups : {
      for capacity, max in { ON_DEMAND = group.max_on_demand, SPOT = group.max_spot } :
      capacity == "SPOT" ? "gpu-${name}-spot" : "gpu-${name}" => {
        instance_types = group.instance_types
        min_size       = 0
        max_size       = max
        disk_gib       = group.disk_gib
        capacity       = capacity
        gpu            = true
        labels = {
          (local.pool_label)        = "gpu"
          (local.accelerator_label) = local.accelerators[group.accelerator].device
        }
        taints = capacity == "SPOT" ? [local.gpu_taint, local.spot_taint] : [local.gpu_taint]
      }
    }
  ]...)

  node_groups = merge(local.system_group, local.cpu_groups, local.gpu_groups)

  # A group without nodes has none to look at: its tags tell the autoscaler what a node of it would be like.
  node_template_tags = merge([
    for name, group in local.node_groups : merge(
      { for key, value in group.labels : "${name}/label/${key}" => { group = name, key = "label/${key}", value = value } },
      {
        for taint in group.taints : "${name}/taint/${taint.key}" => {
          group = name, key = "taint/${taint.key}", value = "${taint.value}:NoSchedule"
        }
      },
    ) if group.min_size == 0
  ]...)
}

resource "aws_iam_role" "node" {
  name               = "${local.full_name}-node"
  assume_role_policy = data.aws_iam_policy_document.trust_service["ec2"].json
}

# What kubelet needs. The network plugin has a role of its own.
resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.key}"
}

resource "aws_launch_template" "node" {
  for_each = local.node_groups

  name                   = "${local.full_name}-${each.key}"
  update_default_version = true

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1 # pods are one hop further: none gets the rights of its node
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = each.value.disk_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  # default_tags do not reach what a launch template makes.
  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume", "network-interface"])

    content {
      resource_type = tag_specifications.value
      tags          = merge(local.tags, { Name = "${local.full_name}-${each.key}" })
    }
  }
}

resource "aws_eks_node_group" "this" {
  for_each = local.node_groups

  cluster_name    = aws_eks_cluster.this.name
  node_group_name = each.key
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = [for subnet in aws_subnet.private : subnet.id]
  version         = var.cluster_version
  ami_type        = each.value.gpu ? "AL2023_x86_64_NVIDIA" : "AL2023_x86_64_STANDARD"
  capacity_type   = each.value.capacity
  instance_types  = each.value.instance_types
  labels          = each.value.labels

  launch_template {
    id      = aws_launch_template.node[each.key].id
    version = aws_launch_template.node[each.key].latest_version
  }

  scaling_config {
    min_size     = each.value.min_size
    max_size     = each.value.max_size
    desired_size = each.value.min_size
  }

  update_config {
    max_unavailable = 1
  }

  dynamic "taint" {
    for_each = each.value.taints

    content {
      key    = taint.value.key
      value  = taint.value.value
      effect = taint.value.effect
    }
  }

  lifecycle {
    ignore_changes = [scaling_config[0].desired_size] # the autoscaler's
  }

  depends_on = [aws_iam_role_policy_attachment.node, aws_eks_addon.network]
}

resource "aws_autoscaling_group_tag" "node_template" {
  for_each = local.node_template_tags

  autoscaling_group_name = aws_eks_node_group.this[each.value.group].resources[0].autoscaling_groups[0].name

  tag {
    key                 = "k8s.io/cluster-autoscaler/node-template/${each.value.key}"
    value               = each.value.value
    propagate_at_launch = false
  }
}
