# A PostgreSQL database of RDS, and a secret of an application's user that Keyturn rotates by alternating users: what
# rds-postgres.yaml does, in Terraform. The same four steps, in the same order; `rotate` is its parameter Rotate.

terraform {
  required_version = ">= 1.11" # write-only arguments
  required_providers {
    aws    = { source = "hashicorp/aws", version = ">= 6.0" }
    random = { source = "hashicorp/random", version = ">= 3.7" }
  }
}

variable "vpc_id" { type = string }

variable "subnet_ids" { type = list(string) }

variable "function_security_group_id" {
  type        = string
  description = "That of Keyturn's functions (SecurityGroupIds of its stack)."
}

variable "rotate" {
  type        = bool
  default     = false
  description = "Whether the secret is rotated. Say true when the database knows the user."
}

data "aws_cloudformation_stack" "keyturn" {
  name = "keyturn"
}

resource "aws_db_subnet_group" "database" {
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "database" {
  vpc_id = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "keyturn" {
  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = var.function_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_db_instance" "database" {
  engine                      = "postgres"
  engine_version              = "17"
  instance_class              = "db.t4g.micro"
  allocated_storage           = 20
  storage_type                = "gp3"
  storage_encrypted           = true
  db_name                     = "shop"
  username                    = "postgres"
  manage_master_user_password = true # RDS keeps and rotates it; it is the admin of alternating users
  db_subnet_group_name        = aws_db_subnet_group.database.name
  vpc_security_group_ids      = [aws_security_group.database.id]
  backup_retention_period     = 7
  copy_tags_to_snapshot       = true
  deletion_protection         = true
  final_snapshot_identifier   = "shop-final"
}

resource "aws_secretsmanager_secret" "app" {
  name_prefix = "shop/app-"
}

# The first password: neither in the state nor in a plan.
ephemeral "random_password" "app" {
  length           = 32
  override_special = "!#$%&*()-_=+[]{}<>:?"
}

# Terraform has no SecretTargetAttachment: engine and host are written here.
resource "aws_secretsmanager_secret_version" "app" {
  secret_id = aws_secretsmanager_secret.app.id
  secret_string_wo = jsonencode({
    engine    = "postgres"
    host      = aws_db_instance.database.address
    port      = aws_db_instance.database.port
    dbname    = aws_db_instance.database.db_name
    username  = "app"
    password  = ephemeral.random_password.app.result
    masterarn = aws_db_instance.database.master_user_secret[0].secret_arn # means alternating users
  })
  secret_string_wo_version = 1 # leave it: another number would write a password that the database does not know
}

resource "aws_secretsmanager_secret_rotation" "app" {
  count               = var.rotate ? 1 : 0
  secret_id           = aws_secretsmanager_secret_version.app.secret_id
  rotation_lambda_arn = data.aws_cloudformation_stack.keyturn.outputs["PostgresRotatorArn"]
  rotate_immediately  = false # tests the function: it logs in as AWSCURRENT. true rotates at once

  rotation_rules {
    schedule_expression = "cron(0 3 ? * SUN *)" # UTC
    duration            = "2h"
  }
}

output "admin_secret_arn" { # for AdminSecrets of Keyturn's stack
  value = aws_db_instance.database.master_user_secret[0].secret_arn
}

output "app_secret_arn" { # what the application reads
  value = aws_secretsmanager_secret.app.arn
}
