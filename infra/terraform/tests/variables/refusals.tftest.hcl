# Values that are refused, each with a message that says what to do. What a variable may be is settled by variables*.tf and
# accelerators.tf alone: tests/infra runs this on a folder with nothing else in it, without a provider, and so in a second.

variables {
  environment     = "dev"
  region          = "eu-central-1"
  protected       = false
  zones           = ["eu-central-1a", "eu-central-1b"]
  gpu_node_groups = {}
}

run "name" {
  command = plan

  variables {
    name = "Assay!"
  }

  expect_failures = [var.name]
}

run "environment" {
  command = plan

  variables {
    environment = "staging"
  }

  expect_failures = [var.environment]
}

run "region" {
  command = plan

  variables {
    region = "Frankfurt"
  }

  expect_failures = [var.region]
}

run "prod_unprotected" {
  command = plan

  variables {
    protected   = false
    environment = "prod"
  }

  expect_failures = [var.protected]
}

run "short_log_retention" {
  command = plan

  variables {
    log_retention_days = 7
  }

  expect_failures = [var.log_retention_days]
}

run "alarm_email" {
  command = plan

  variables {
    alarm_email = "nobody"
  }

  expect_failures = [var.alarm_email]
}

run "every_repository" {
  command = plan

  variables {
    github_repository = "owner/*"
  }

  expect_failures = [var.github_repository]
}

run "vpc_too_small" {
  command = plan

  variables {
    vpc_cidr = "10.40.0.0/24"
  }

  expect_failures = [var.vpc_cidr]
}

run "one_zone" {
  command = plan

  variables {
    zones = ["eu-central-1a"]
  }

  expect_failures = [var.zones]
}

run "zone_of_another_region" {
  command = plan

  variables {
    zones = ["eu-central-1a", "eu-west-1b"]
  }

  expect_failures = [var.zones]
}

run "old_kubernetes" {
  command = plan

  variables {
    cluster_version = "1.27"
  }

  expect_failures = [var.cluster_version]
}

run "kubernetes_open_to_all" {
  command = plan

  variables {
    cluster_public_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.cluster_public_cidrs]
}

run "kubernetes_open_to_half" {
  command = plan

  variables {
    cluster_public_cidrs = ["0.0.0.0/1", "128.0.0.0/1"]
  }

  expect_failures = [var.cluster_public_cidrs]
}

run "admin_is_everybody" {
  command = plan

  variables {
    cluster_admin_arns = ["*"]
  }

  expect_failures = [var.cluster_admin_arns]
}

run "one_system_node" {
  command = plan

  variables {
    system_nodes = { min_size = 1 }
  }

  expect_failures = [var.system_nodes]
}

run "sizes_mixed" {
  command = plan

  variables {
    cpu_nodes = { instance_types = ["m7i.2xlarge", "m7i.4xlarge"] }
  }

  expect_failures = [var.cpu_nodes]
}

run "unknown_accelerator" {
  command = plan

  variables {
    gpu_node_groups = { tpu = { accelerator = "TPU", instance_types = ["g6.8xlarge"] } }
  }

  expect_failures = [var.gpu_node_groups]
}

run "type_without_the_accelerator" {
  command = plan

  variables {
    gpu_node_groups = { a100 = { accelerator = "A100", instance_types = ["g6.8xlarge"] } }
  }

  expect_failures = [var.gpu_node_groups]
}

run "gpus_on_spot_alone" {
  command = plan

  variables {
    gpu_node_groups = { l4 = { accelerator = "L4", instance_types = ["g6.8xlarge"], max_on_demand = 0 } }
  }

  expect_failures = [var.gpu_node_groups]
}

run "unknown_domain" {
  command = plan

  variables {
    flyte_domains = ["development", "testing"]
  }

  expect_failures = [var.flyte_domains]
}

run "quota_below_one_task" {
  command = plan

  variables {
    flyte_quota = { cpu = 4 }
  }

  expect_failures = [var.flyte_quota]
}

run "no_backups" {
  command = plan

  variables {
    database = { backup_days = 0 }
  }

  expect_failures = [var.database]
}

run "database_cannot_grow" {
  command = plan

  variables {
    database = { storage_gib = 100, max_storage_gib = 100 }
  }

  expect_failures = [var.database]
}

run "password_version" {
  command = plan

  variables {
    database_password_version = 0
  }

  expect_failures = [var.database_password_version]
}

run "few_images" {
  command = plan

  variables {
    images_kept = 1
  }

  expect_failures = [var.images_kept]
}

run "project" {
  command = plan

  variables {
    flyte_project = "Assay Project"
  }

  expect_failures = [var.flyte_project]
}

run "serving_namespace" {
  command = plan

  variables {
    serving_namespace = "-assay"
  }

  expect_failures = [var.serving_namespace]
}

run "provider_of_another_forge" {
  command = plan

  variables {
    github_oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/gitlab.com"
  }

  expect_failures = [var.github_oidc_provider_arn]
}

run "database_class" {
  command = plan

  variables {
    database = { instance_class = "m7g.large" }
  }

  expect_failures = [var.database]
}

run "gpu_group_name" {
  command = plan

  variables {
    gpu_node_groups = { "L4 spot" = { accelerator = "L4", instance_types = ["g6.8xlarge"] } }
  }

  expect_failures = [var.gpu_node_groups]
}

run "cpu_nodes_on_spot_alone" {
  command = plan

  variables {
    cpu_nodes = { max_on_demand = 0 }
  }

  expect_failures = [var.cpu_nodes]
}
