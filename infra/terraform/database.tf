# PostgreSQL of Flyte. Its password is made here, kept in Secrets Manager, and in no state and no plan: the values are
# ephemeral and the arguments write-only.

locals {
  database_name = "flyte"
  database_user = "flyte"
  database_port = 5432
}

resource "aws_db_subnet_group" "this" {
  name       = local.full_name
  subnet_ids = [for subnet in aws_subnet.database : subnet.id]
}

resource "aws_security_group" "database" {
  name        = "${local.full_name}-database"
  description = "PostgreSQL, from the nodes of the cluster alone"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${local.full_name}-database" }
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port
  description                  = "Nodes and pods of the cluster"
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${local.full_name}-"
  family      = "postgres16"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000" # milliseconds
  }

  # Those that change tables, and slow ones: all of them would carry the inputs of workflows into the logs.
  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  lifecycle {
    create_before_destroy = true
  }
}

ephemeral "aws_secretsmanager_random_password" "database" {
  password_length     = 40
  exclude_punctuation = true # it stands in a URL and in YAML
}

resource "aws_secretsmanager_secret" "database" {
  #checkov:skip=CKV2_AWS_57:Rotated with database_password_version: Flyte reads its password when it starts, and a rotation it does not know of would stop it
  name_prefix             = "${local.full_name}-database-"
  description             = "Password of the user ${local.database_user} of Flyte's database"
  kms_key_id              = aws_kms_key.platform.arn
  recovery_window_in_days = var.protected ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "database" {
  secret_id                = aws_secretsmanager_secret.database.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.database.random_password
  secret_string_wo_version = var.database_password_version
}

# Read back, and not handed over from above: after an apply that failed half way the next one draws another password, and
# the database must get the one that is kept.
ephemeral "aws_secretsmanager_secret_version" "database" {
  secret_id  = aws_secretsmanager_secret_version.database.secret_id
  version_id = aws_secretsmanager_secret_version.database.version_id
}

resource "aws_db_instance" "flyte" {
  #checkov:skip=CKV_AWS_133:Backups are var.database.backup_days, which is refused below one
  #checkov:skip=CKV_AWS_157:A copy in a second zone is var.database.multi_az: prod has it
  #checkov:skip=CKV_AWS_293:Deletion protection is var.protected, which cannot be false in prod
  identifier     = "${local.full_name}-flyte"
  engine         = "postgres"
  engine_version = "16"
  instance_class = var.database.instance_class

  db_name             = local.database_name
  port                = local.database_port
  username            = local.database_user
  password_wo         = ephemeral.aws_secretsmanager_secret_version.database.secret_string
  password_wo_version = var.database_password_version

  allocated_storage     = var.database.storage_gib
  max_allocated_storage = var.database.max_storage_gib
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.platform.arn

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.database.id]
  parameter_group_name   = aws_db_parameter_group.this.name
  publicly_accessible    = false
  multi_az               = var.database.multi_az

  backup_retention_period    = var.database.backup_days
  backup_window              = "01:00-02:00"
  maintenance_window         = "sun:03:00-sun:04:00"
  auto_minor_version_upgrade = true
  copy_tags_to_snapshot      = true
  deletion_protection        = var.protected
  skip_final_snapshot        = !var.protected
  final_snapshot_identifier  = "${local.full_name}-flyte-last"
  delete_automated_backups   = !var.protected

  iam_database_authentication_enabled = true # people come in with their own rights, and not with Flyte's password
  enabled_cloudwatch_logs_exports     = ["postgresql", "upgrade"]
  performance_insights_enabled        = true
  performance_insights_kms_key_id     = aws_kms_key.platform.arn
  monitoring_interval                 = 60
  monitoring_role_arn                 = aws_iam_role.database_monitoring.arn

  depends_on = [aws_cloudwatch_log_group.database, aws_iam_role_policy_attachment.database_monitoring]
}

resource "aws_cloudwatch_log_group" "database" {
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${local.full_name}-flyte/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.platform.arn
}

resource "aws_iam_role" "database_monitoring" {
  name               = "${local.full_name}-database-monitoring"
  assume_role_policy = data.aws_iam_policy_document.trust_service["monitoring.rds"].json
}

resource "aws_iam_role_policy_attachment" "database_monitoring" {
  role       = aws_iam_role.database_monitoring.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
