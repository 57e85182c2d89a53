# What every environment must be: `terraform test -test-directory=tests/aws -var-file=environments/dev.tfvars`, and the same
# with prod. The provider is the real one (one that is made up evaluates no policy and knows no ephemeral values) and asks
# what AWS_ENDPOINT_URL names: tests/infra starts a local moto server there.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
  max_retries                 = 1
}

run "as_it_must_be" {
  command = plan

  assert {
    condition = alltrue([
      for block in [aws_s3_bucket_public_access_block.data, aws_s3_bucket_public_access_block.logs] :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "A bucket could be made public."
  }

  assert {
    condition     = aws_s3_bucket_versioning.data.versioning_configuration[0].status == "Enabled"
    error_message = "What is deleted from the data bucket is lost."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.data.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    error_message = "The data bucket is not encrypted with a key of its own."
  }

  assert {
    condition     = aws_kms_key.data.enable_key_rotation && aws_kms_key.platform.enable_key_rotation
    error_message = "A key is not rotated."
  }

  assert {
    condition     = var.protected == !aws_s3_bucket.data.force_destroy && var.protected == aws_db_instance.flyte.deletion_protection
    error_message = "`protected` does not protect."
  }

  assert {
    condition     = var.environment != "prod" || (var.protected && aws_db_instance.flyte.multi_az && !aws_db_instance.flyte.skip_final_snapshot)
    error_message = "prod can lose its database."
  }

  assert {
    condition     = alltrue([for each in aws_ecr_repository.this : each.image_tag_mutability == "IMMUTABLE" && each.image_scanning_configuration[0].scan_on_push])
    error_message = "A tag of an image can change its meaning, or images are not scanned."
  }

  # The database.
  assert {
    condition     = aws_db_instance.flyte.storage_encrypted && !aws_db_instance.flyte.publicly_accessible
    error_message = "The database is public or not encrypted."
  }

  assert {
    condition     = aws_db_instance.flyte.backup_retention_period >= 1
    error_message = "The database has no backups."
  }

  assert {
    condition     = contains([for each in aws_db_parameter_group.this.parameter : "${each.name}=${each.value}"], "rds.force_ssl=1")
    error_message = "The database takes connections without TLS."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.database.cidr_ipv4 == null && aws_vpc_security_group_ingress_rule.database.from_port == 5432
    error_message = "The database can be reached by more than the nodes."
  }

  # The cluster.
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && aws_eks_cluster.this.vpc_config[0].endpoint_public_access == (length(var.cluster_public_cidrs) > 0)
    error_message = "The Kubernetes API is open to nobody, or to more than cluster_public_cidrs."
  }

  assert {
    condition     = tolist(aws_eks_cluster.this.encryption_config[0].resources) == tolist(["secrets"]) && length(aws_eks_cluster.this.enabled_cluster_log_types) == 5
    error_message = "Secrets of the cluster are not encrypted, or its logs not kept."
  }

  assert {
    condition = alltrue([
      for each in aws_launch_template.node :
      each.metadata_options[0].http_tokens == "required" && each.metadata_options[0].http_put_response_hop_limit == 1 &&
      each.block_device_mappings[0].ebs[0].encrypted == "true"
    ])
    error_message = "A pod could get the rights of its node, or a disk is not encrypted."
  }

  assert {
    condition     = alltrue([for each in aws_subnet.private : !each.map_public_ip_on_launch]) && length(aws_subnet.private) == length(var.zones)
    error_message = "A node could have a public address, or a zone has no subnet."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == (var.single_nat_gateway ? 1 : length(var.zones))
    error_message = "There are not as many NAT gateways as was asked for."
  }

  # Nodes: what tasks ask for.
  # A trainer is interruptible, and its last attempt is not: without both groups one of them would wait for ever.
  assert {
    condition = alltrue(flatten([
      for name in keys(var.gpu_node_groups) : [
        aws_eks_node_group.this["gpu-${name}"].capacity_type == "ON_DEMAND",
        aws_eks_node_group.this["gpu-${name}-spot"].capacity_type == "SPOT",
      ]
    ]))
    error_message = "A GPU is not to be had both on spot and on demand."
  }

  assert {
    condition = alltrue([
      for name, each in aws_eks_node_group.this : each.scaling_config[0].min_size == 0 && each.scaling_config[0].desired_size == 0 if name != "system"
    ])
    error_message = "Nodes of tasks run, and are paid for, without tasks."
  }

  assert {
    condition = alltrue([
      for name, each in aws_eks_node_group.this :
      each.ami_type == "AL2023_x86_64_NVIDIA" && contains([for taint in each.taint : taint.key], "nvidia.com/gpu")
      if startswith(name, "gpu-")
    ])
    error_message = "GPU nodes without a driver, or open to pods that ask for no GPU."
  }

  assert {
    condition = alltrue([
      for name, each in aws_eks_node_group.this : contains([for taint in each.taint : taint.key], "assay/spot") == endswith(name, "-spot")
    ])
    error_message = "Spot nodes are open to what cannot be interrupted, or others are not open."
  }

  assert {
    condition = alltrue([
      for name, group in var.gpu_node_groups : alltrue([
        for each in ["gpu-${name}", "gpu-${name}-spot"] :
        aws_eks_node_group.this[each].labels["k8s.amazonaws.com/accelerator"] == local.accelerators[group.accelerator].device &&
        local.node_template_tags["${each}/label/k8s.amazonaws.com/accelerator"].value == local.accelerators[group.accelerator].device &&
        local.node_template_tags["${each}/taint/nvidia.com/gpu"].value == "present:NoSchedule"
      ])
    ])
    error_message = "The autoscaler could not know from a group without nodes what a node of it would be."
  }

  # Roles, and who is trusted with them.
  assert {
    condition     = toset(local.service_accounts.tasks) == toset([for domain in var.flyte_domains : "assay-${domain}:default"])
    error_message = "Not the pods of this project's domains, and no others, get the role of tasks."
  }

  assert {
    condition     = local.service_accounts.serving == [var.environment == "prod" ? "assay:assay-serving" : "assay-dev:assay-serving"]
    error_message = "Not the service of this environment's overlay gets the role of the service."
  }

  assert {
    condition     = toset(keys(local.policies)) == setsubtract(keys(local.service_accounts), keys(local.managed_policies))
    error_message = "A role has no policy, or a policy no role."
  }

  assert {
    condition     = length(aws_iam_role.github) == 0
    error_message = "Workflows of a repository that nobody named may do something."
  }
}
